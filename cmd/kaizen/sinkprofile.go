package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// listProfiles shows what each profile is like.
func listProfiles(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROFILE\tLOGIN\tPIPELINING\tCHUNKING\tLIMITS")
	for _, name := range smtptest.Profiles() {
		c, err := smtptest.Profile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, loginOf(c), offers(c, "PIPELINING"), offers(c, "CHUNKING"), limitsOf(c.Limits))
	}
	return table.Flush()
}

func loginOf(c smtptest.Config) string {
	if c.Auth.Required {
		return "required"
	}
	return "offered"
}

func offers(c smtptest.Config, keyword string) string {
	for _, line := range c.Extensions {
		if line == keyword {
			return "yes"
		}
	}
	return "no"
}

func limitsOf(l smtptest.Limits) string {
	all := []string{fmt.Sprintf("%d MB", l.MaxSize/1e6)}
	for _, limit := range []struct {
		n    int
		what string
	}{
		{l.Connections, "connections"}, {l.MessagesPerConnection, "messages on one"}, {l.RecipientsPerMessage, "recipients"},
	} {
		if limit.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", limit.n, limit.what))
		}
	}
	for _, r := range []smtptest.Rate{l.Rate, l.Quota} {
		if r.N > 0 {
			all = append(all, rateText(r))
		}
	}
	return strings.Join(all, ", ")
}

// rateText is 30/1m, or 10000 recipients/24h.
func rateText(r smtptest.Rate) string {
	unit := ""
	if r.Recipients {
		unit = " recipients"
	}
	per := r.Per.String()
	if r.Per >= time.Minute {
		per = strings.TrimSuffix(strings.TrimSuffix(per, "0s"), "0m")
	}
	return fmt.Sprintf("%d%s/%s", r.N, unit, per)
}
