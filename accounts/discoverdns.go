package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// answers are what DNS said about a domain.
type answers struct {
	submissions, submission offer
	mx                      []string // hosts, most preferred first
	failures                []error
}

// offer is what a domain says about one service.
type offer struct {
	tls     smtp.TLSMode
	records []server
	refused bool // the domain says that it does not offer the service
}

type server struct {
	host string
	port int
}

// maxServers is as many servers of one service as are looked at: nobody tries
// more of them, and an answer can hold thousands.
const maxServers = 10

func (o *offer) ask(ctx context.Context, r Resolver, service, domain string) error {
	_, records, err := r.LookupSRV(ctx, service, "tcp", domain+".")
	if len(records) == 0 {
		return unanswered(err, "SRV records of _"+service+"._tcp."+domain)
	}
	// Among those of one priority RFC 2782 draws lots by weight, to spread a load.
	// Here one server is chosen for good: the heaviest.
	slices.SortStableFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight))
	})
	for _, record := range records {
		if record.Target == "." {
			o.refused = true
			continue
		}
		host := hostName(record.Target)
		if host != "" && record.Port != 0 && len(o.records) < maxServers {
			o.records = append(o.records, server{host, int(record.Port)})
		}
	}
	return nil
}

func askMX(ctx context.Context, r Resolver, domain string) (hosts []string, err error) {
	records, err := r.LookupMX(ctx, domain+".")
	if len(records) == 0 {
		return nil, unanswered(err, "MX records of "+domain)
	}
	slices.SortStableFunc(records, func(a, b *net.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	for _, record := range records[:min(len(records), maxServers)] {
		if host := hostName(record.Host); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// unanswered is an error for a question that DNS did not answer, and none if
// the answer is that there is nothing.
func unanswered(err error, question string) error {
	var dns *net.DNSError
	if err == nil || errors.As(err, &dns) && dns.IsNotFound {
		return nil
	}
	return fmt.Errorf("look up %s: %w", question, err)
}

// hostName is a host's name in lower-case A-labels without the last dot, or ""
// if it is none.
func hostName(name string) string {
	name = strings.TrimSuffix(name, ".")
	ascii, err := domainNames.ToASCII(name)
	if err != nil || net.ParseIP(name) != nil {
		return ""
	}
	return ascii
}

// presetOfMX finds the preset with the longest name that host is, or is below.
func presetOfMX(host string) *Preset {
	for rest, more := host, true; more; _, rest, more = strings.Cut(rest, ".") {
		if p := book().byMX[rest]; p != nil {
			return p
		}
	}
	return nil
}

func isWithin(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
