package kaizenprom_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenprom"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func memoryServer(t *testing.T, config smtptest.Config) *smtptest.Server {
	t.Helper()
	config.Network = smtptest.Memory
	s := smtptest.NewServer(config)
	t.Cleanup(func() { s.Close() })
	return s
}

func account(s *smtptest.Server, name string) kaizen.Account {
	return kaizen.Account{Name: name, Host: "smtp.example.com", TLS: smtp.TLSNone, InsecureAuth: true,
		DialContext: s.DialContext, Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
}

func note(to ...string) *kaizen.Prepared {
	return &kaizen.Prepared{Envelope: kaizen.Envelope{From: "ann@example.com", To: smtp.To(to...)},
		Content: smtp.Bytes([]byte("Subject: note\r\n\r\nHello\r\n"))}
}

// series are the values of all series, by their names and labels; of histograms
// the count and each bucket.
func series(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.Metric {
			var pairs []string
			for _, l := range m.Label {
				pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := family.GetName() + "{" + strings.Join(pairs, ",") + "}"
			switch h := m.GetHistogram(); {
			case h != nil:
				all[name+"_count"] = float64(h.GetSampleCount())
				for _, b := range h.Bucket {
					all[fmt.Sprintf("%s_bucket{%g}", name, b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			case m.Counter != nil:
				all[name] = m.Counter.GetValue()
			default:
				all[name] = m.Gauge.GetValue()
			}
		}
	}
	return all
}

// accountsOf are the different labels.
func accountsOf(all map[string]float64) []string {
	found := make(map[string]bool)
	for name := range all {
		_, rest, _ := strings.Cut(name, `account="`)
		label, _, _ := strings.Cut(rest, `"`)
		found[label] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// The names keep to the conventions, and every metric is there after one message.
func TestLint(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{TLS: smtptest.TLSStartTLS})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	c := kaizenprom.New(client, kaizenprom.Options{})
	if n := testutil.CollectAndCount(c); n != 0 {
		t.Errorf("%d series without an account", n)
	}
	a := account(s, "work")
	a.TLS, a.TLSConfig = smtp.TLSStartTLS, s.ClientTLS()
	a.Servers = []kaizen.Server{{Host: "other.test", Priority: 10}}
	if _, err := client.Send(t.Context(), a, note("bob@example.net")); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	described := make(chan *prometheus.Desc, 100)
	c.Describe(described)
	close(described)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil || len(families) != len(described) {
		t.Errorf("%d metrics are there, %d described, %v", len(families), len(described), err)
	}
}

// The figures are those of the server.
func TestFigures(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{UnknownRecipients: []string{"nobody@example.net"}})
	client := kaizen.New(kaizen.Config{})
	c := kaizenprom.New(client, kaizenprom.Options{})
	a := account(s, "work")
	for range 20 {
		if _, err := client.Send(t.Context(), a, note("bob@example.net", "cy@example.net")); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = client.Send(t.Context(), a, note("nobody@example.net"))
	idle := series(t, c)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	got := series(t, c)
	for name, want := range map[string]float64{
		`kaizen_transactions_total{account="work",outcome="accepted"}`:  20,
		`kaizen_transactions_total{account="work",outcome="rejected"}`:  1,
		`kaizen_transactions_total{account="work",outcome="unknown"}`:   0,
		`kaizen_recipients_total{account="work",outcome="accepted"}`:    40,
		`kaizen_recipients_total{account="work",outcome="rejected"}`:    1,
		`kaizen_failures_total{account="work",class="recipient"}`:       1,
		`kaizen_failures_total{account="work",class="auth"}`:            0,
		`kaizen_connections_opened_total{account="work"}`:               1,
		`kaizen_connections_closed_total{account="work",reason="pool"}`: 1,
		`kaizen_connections_closed_total{account="work",reason="lost"}`: 0,
		`kaizen_connections{account="work",state="idle"}`:               0,
		`kaizen_transaction_seconds{account="work"}_count`:              21,
		`kaizen_transaction_seconds{account="work"}_bucket{600}`:        21,
		`kaizen_wait_seconds{account="work"}_count`:                     21,
		`kaizen_handshake_seconds{account="work"}_count`:                1,
		`kaizen_learned_connections{account="work"}`:                    5,
		`kaizen_messages_waiting{account="work"}`:                       0,
		`kaizen_accepted_bytes_total{account="work"}`:                   float64(20 * len("Subject: note\r\n\r\nHello\r\n")),
	} {
		if got[name] != want {
			t.Errorf("%s is %g, want %g", name, got[name], want)
		}
	}
	if idle[`kaizen_connections{account="work",state="idle"}`] != 1 {
		t.Error("no idle connection before the end")
	}
}

// An account whose login is refused is down, and says why; those of one label
// are counted.
func TestHealth(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "geheim"}}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	c := kaizenprom.New(client, kaizenprom.Options{MaxAccounts: 1})
	for _, password := range []string{"geheim", "wrong", "wrong too"} {
		a := account(s, "account of "+password)
		a.Username, a.Password = "ann", password
		_, _ = client.Send(t.Context(), a, note("bob@example.net"))
	}
	got := series(t, c)
	for name, want := range map[string]float64{
		`kaizen_account_health{account="account of geheim",state="healthy"}`:  1,
		`kaizen_account_health{account="account of geheim",state="down"}`:     0,
		`kaizen_account_health{account="other",state="down"}`:                 2,
		`kaizen_account_unhealthy{account="other",cause="login"}`:             2,
		`kaizen_account_unhealthy{account="other",cause="outage"}`:            0,
		`kaizen_account_unhealthy{account="account of geheim",cause="login"}`: 0,
	} {
		if value, found := got[name]; !found || value != want {
			t.Errorf("%s is %g, want %g", name, value, want)
		}
	}
	if got[`kaizen_last_accepted_timestamp_seconds{account="account of geheim"}`] < 1e9 {
		t.Error("no message was accepted")
	}
	if _, found := got[`kaizen_last_accepted_timestamp_seconds{account="other"}`]; found {
		t.Error("a message was accepted for those who could not log in")
	}
}

// A thousand accounts make a bounded number of labels; the sums stay right, and
// no counter goes down as accounts come.
func TestCardinalityIsBounded(t *testing.T) {
	t.Parallel()
	const accounts, most = 1_000, 50
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	c := kaizenprom.New(client, kaizenprom.Options{MaxAccounts: most})
	before := map[string]float64{}
	for i := range accounts {
		// The later ones come first in the alphabet.
		if _, err := client.Send(t.Context(), account(s, fmt.Sprintf("a%04d", accounts-i)), note("bob@example.net")); err != nil {
			t.Fatal(err)
		}
		if i%100 != 30 {
			continue
		}
		now := series(t, c)
		for name, value := range before {
			if strings.Contains(name, "_total") && now[name] < value {
				t.Errorf("%s went from %g to %g", name, value, now[name])
			}
		}
		before = now
	}
	all := series(t, c)
	if got := accountsOf(all); len(got) != most+1 || !slices.Contains(got, "other") {
		t.Errorf("labels: %q", got)
	}
	sum := 0.0
	for _, label := range accountsOf(all) {
		sum += all[fmt.Sprintf("kaizen_transactions_total{account=%q,outcome=\"accepted\"}", label)]
	}
	if other := all[`kaizen_connections_opened_total{account="other"}`]; sum != accounts || other != accounts-most {
		t.Errorf("%g messages in all, %g connections of the others", sum, other)
	}
}

// Neither a credential nor a mail address is in any label, unless it is asked for.
func TestLabelsAreNotPersonal(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann@example.org": "geheim", "bob@example.org": "geheim", "token-4711": "token-4711"}}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for _, user := range []string{"ann@example.org", "bob@example.org", "token-4711"} {
		a := account(s, "")
		if a.Username, a.Password = user, "geheim"; user == "token-4711" {
			a.Password = user
		}
		if _, err := client.Send(t.Context(), a, note("cy@example.net")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Send(t.Context(), account(s, "dee@example.org"), note("cy@example.net")); err != nil {
		t.Fatal(err)
	}
	all := series(t, kaizenprom.New(client, kaizenprom.Options{}))
	if got := accountsOf(all); !slices.Equal(got, []string{"example.org", "smtp.example.com:587"}) {
		t.Errorf("labels: %q", got)
	}
	if n := all[`kaizen_transactions_total{account="smtp.example.com:587",outcome="accepted"}`]; n != 3 {
		t.Errorf("%g messages of three accounts of one server", n)
	}
	asked := series(t, kaizenprom.New(client, kaizenprom.Options{AccountLabel: func(name string) string { return name }}))
	if got := accountsOf(asked); len(got) != 4 || !slices.Contains(got, "ann@example.org@smtp.example.com:587") {
		t.Errorf("labels that were asked for: %q", got)
	}
	for name := range asked {
		if strings.Contains(name, "geheim") || strings.Contains(name, "4711") {
			t.Errorf("a secret: %s", name)
		}
	}
}

// A label need not be valid text.
func TestOddLabels(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for _, name := range []string{"broken \xff", "other", "with \"quotes\"\n"} {
		if _, err := client.Send(t.Context(), account(s, name), note("bob@example.net")); err != nil {
			t.Fatal(err)
		}
	}
	if got := accountsOf(series(t, kaizenprom.New(client, kaizenprom.Options{}))); len(got) != 3 {
		t.Errorf("labels: %q", got)
	}
}

// Scrapes go on while messages are sent and connections closed.
func TestConcurrentScrapes(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseMAIL, Action: smtptest.Drop, Prob: 0.05}}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	c := kaizenprom.New(client, kaizenprom.Options{MaxAccounts: 2})
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() {
			a := account(s, fmt.Sprint(i))
			for range 100 {
				_, _ = client.Send(context.Background(), a, note("bob@example.net"))
			}
			_ = client.CloseAccount(context.Background(), a)
		})
	}
	for range 20 {
		series(t, c)
	}
	senders.Wait()
	sum := 0.0
	for name, value := range series(t, c) {
		if strings.HasPrefix(name, "kaizen_transactions_total") {
			sum += value
		}
	}
	if sum != 400 {
		t.Errorf("%g transactions of 400", sum)
	}
}
