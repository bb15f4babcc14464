package bulk_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/message/mailtemplate"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// campaign is a table, a letter and a journal on their way to a test server.
type campaign struct {
	t       *testing.T
	table   string
	letter  bulk.LetterSource
	journal string
	config  bulk.Config // Table, Letter, Journal and History are filled in by run
}

// newCampaign is one to n people, p1@example.org and so on.
func newCampaign(t *testing.T, n int, servers ...*smtptest.Server) *campaign {
	c := &campaign{t: t, journal: filepath.Join(t.TempDir(), "journal")}
	var table strings.Builder
	table.WriteString("email,name\n")
	for i := range n {
		fmt.Fprintf(&table, "p%d@example.org,Person %d\n", i+1, i+1)
	}
	c.table = table.String()
	c.letter = bulk.LetterSource{From: "shop@example.com", To: "{{.email}}",
		Body: mailtemplate.Source{Subject: "To {{.name}}", Text: "Dear {{.name}}"}}
	for _, s := range servers {
		c.config.Servers = append(c.config.Servers, bulk.Server{Account: accountOf(s)})
	}
	return c
}

func accountOf(s *smtptest.Server) kaizen.Account {
	return kaizen.Account{Name: s.Addr(), Host: "localhost", Port: 25, TLS: smtp.TLSNone, DialContext: s.DialContext,
		Limits: kaizen.Limits{Connections: 2, Rates: kaizen.NoRate()}}
}

// run sends, resuming the journal if there is one.
func (c *campaign) run(ctx context.Context) error {
	c.t.Helper()
	var err error
	config := c.config
	config.Progress = new(bulk.Progress)
	c.config.Progress = config.Progress
	if config.Table, err = bulk.CSV(strings.NewReader(c.table), 0); err != nil {
		c.t.Fatal(err)
	}
	if config.Letter, err = bulk.NewLetter(c.letter); err != nil {
		c.t.Fatal(err)
	}
	config.Journal, err = bulk.Create(c.journal, "test", config.Letter.Fingerprint())
	if err != nil {
		if config.Journal, config.History, err = bulk.Resume(c.journal); err != nil {
			c.t.Fatal(err)
		}
	}
	err = bulk.Run(ctx, config)
	if err := config.Journal.Close(); err != nil {
		c.t.Error(err)
	}
	return err
}

// mustRun runs until all is done.
func (c *campaign) mustRun() *bulk.Progress {
	c.t.Helper()
	if err := c.run(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return c.config.Progress
}

// results are those of the journal: outcome by address.
func (c *campaign) results() map[string]string {
	c.t.Helper()
	outcomes := map[string]string{}
	for _, line := range c.resultLines()[1:] {
		if outcomes[line[1]] != "" {
			c.t.Errorf("%s stands twice in the results", line[1])
		}
		outcomes[line[1]] = line[2]
	}
	return outcomes
}

func (c *campaign) resultLines() [][]string {
	c.t.Helper()
	var text strings.Builder
	if err := bulk.WriteResults(&text, c.journal); err != nil {
		c.t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	return lines
}

// received counts the messages that the servers accepted for each recipient.
func received(servers ...*smtptest.Server) map[string]int {
	counts := map[string]int{}
	for _, s := range servers {
		for _, a := range s.Accepted() {
			for _, r := range a.Recipients {
				counts[r]++
			}
		}
	}
	return counts
}

// eachOnce fails unless each of n people got the message exactly once.
func (c *campaign) eachOnce(n int, servers ...*smtptest.Server) {
	c.t.Helper()
	got := received(servers...)
	for i := range n {
		address := fmt.Sprintf("p%d@example.org", i+1)
		if got[address] != 1 {
			c.t.Errorf("%s got it %d times", address, got[address])
		}
		delete(got, address)
	}
	if len(got) > 0 {
		c.t.Errorf("beyond those, %v got it", got)
	}
}

// bubble runs a test where time is free, with a server in memory.
func bubble(t *testing.T, config smtptest.Config, test func(t *testing.T, s *smtptest.Server)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		test(t, memoryServer(t, config))
	})
}

func memoryServer(t *testing.T, config smtptest.Config) *smtptest.Server {
	config.Network = smtptest.Memory
	s := smtptest.NewServer(config)
	t.Cleanup(func() { s.Close() })
	return s
}
