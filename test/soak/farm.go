package main

import (
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// stand is an account with a server of its own.
type stand struct {
	name    string
	server  *smtptest.Server
	account kaizen.Account
	senders int
	cycles  bool // its client is closed and made anew all the time
}

// farm is all of them.
type farm []*stand

const (
	oneIn100          = 0.01 // how often anything at all goes wrong
	messagesPerConn   = 100
	connectionsEach   = 8
	longestConnection = 3 * time.Second
	ratedPerSecond    = 500
)

// Faults by the damage they do to a client: some make it careful for good (it
// sends in lock-step, or on one connection), so that they have servers of their
// own. Left out are those with which a server contradicts itself (docs/faults.md),
// a final reply that is missing, and an extra one while the content arrives:
// replies are matched by count (RFC 2920 §3.1), so that what is said next, or was
// said before, is taken for the verdict.
var (
	breaks = []string{
		"mail:drop", "mail:reset", "mail:vanish", "rcpt:drop", "rcpt:reset", "rcpt:vanish", "data:drop", "data:reset", "data:vanish",
		"body@100:drop", "body@100:reset", "body@50000:reset", "body@50000:drop", "final:drop", "final:reset", "final:vanish",
		"after-final:drop", "after-final:reset", "after-final:vanish", "rset:drop", "rset:reset", "rset:vanish",
		"mail:delay=50ms", "final:delay=50ms", "data:drip=1ms", "final:drip=1ms", "rset:delay=20ms",
		"mail:reply=451 4.3.0 Later", "rcpt:reply=550 5.1.1 No", "rcpt:reply=452 4.5.3 Too many", "data:reply=451 4.3.0 Later",
		"final:reply=451 4.3.0 Later", "final:reply=554 5.7.1 Spam",
	}
	shifts = []string{
		"mail:extra", "mail:missing", "mail:oversize", "mail:reply=500 5.5.2 What", "rcpt:extra", "rcpt:missing", "rcpt:oversize",
		"rcpt:reply=503 5.5.1 Sequence", "data:extra", "data:missing", "data:oversize", "data:reply=500 5.5.2 What", "body@100:oversize",
		"body@50000:oversize", "final:extra", "final:oversize", "final:reply=500 5.5.2 What", "after-final:extra",
		"after-final:oversize", "rset:extra", "rset:missing", "rset:reply=502 5.5.1 No",
	}
	crowds = []string{
		"mail:421", "rcpt:421", "data:421", "body@100:421", "final:421", "rset:421", "mail:stall", "rcpt:stall", "data:stall",
		"body@50000:stall", "final:stall", "after-final:stall", "rset:stall",
	}
	setUps = []string{
		"connect:drop", "connect:reset", "connect:delay=20ms", "greeting:drop", "greeting:reset", "greeting:421", "greeting:stall",
		"greeting:extra", "greeting:reply=451 4.3.0 Later", "ehlo:drop", "ehlo:vanish", "ehlo:421", "ehlo:missing", "ehlo:oversize",
		"starttls:drop", "starttls:vanish", "starttls:extra", "starttls:reply=454 4.7.0 No", "tls:drop", "tls:stall",
		"auth:drop", "auth:421", "auth:stall", "auth:extra", "auth:reply=454 4.7.0 Later",
	}
	partings = []string{"quit:drop", "quit:reset", "quit:stall", "quit:421", "quit:oversize", "idle@20ms:drop", "idle@20ms:421", "idle@20ms:reset", "idle@20ms:extra"}
)

// newFarm starts the servers, each on a port of its own.
func newFarm(b *books) (farm, error) {
	config := func(kinds ...[]string) smtptest.Config {
		return smtptest.Config{CountOnly: true, Save: b.arrived, Faults: faults(kinds...)}
	}
	plain := config(breaks, partings)
	login := config(breaks, setUps, partings)
	login.TLS, login.Auth = smtptest.TLSStartTLS, &smtptest.Auth{Users: map[string]string{"ann": "secret"}, Required: true}
	shifty := config(shifts, partings)
	shifty.TLS = smtptest.TLSImplicit
	crowded := config(crowds)
	rated := config(breaks, partings)
	rated.Limits.Rate = smtptest.Rate{N: ratedPerSecond, Per: time.Second}
	f := farm{
		{name: "plain", senders: 64, cycles: true},
		{name: "login over TLS", senders: 64},
		{name: "shifty over TLS", senders: 32, cycles: true},
		{name: "crowded", senders: 16, cycles: true},
		{name: "rated", senders: 32},
	}
	for i, c := range []smtptest.Config{plain, login, shifty, crowded, rated} {
		if err := f[i].listen(c); err != nil {
			return nil, err
		}
	}
	f[4].account.Limits.Rates = []kaizen.Rate{{Count: ratedPerSecond, Per: time.Second}}
	return f, nil
}

func faults(kinds ...[]string) (all []smtptest.Fault) {
	for _, kind := range kinds {
		for _, text := range kind {
			f, err := smtptest.ParseFault(text)
			if err != nil {
				panic(err)
			}
			f.Prob = oneIn100 / float64(len(kind))
			all = append(all, f)
		}
	}
	return all
}

func (s *stand) listen(c smtptest.Config) (err error) {
	if s.server, err = smtptest.Listen(c); err != nil {
		return err
	}
	if s.account, err = kaizen.ParseURL("smtp://" + s.server.Addr() + "?tls=none&rate=none"); err != nil {
		return err
	}
	a := &s.account
	a.Name, a.MaxLifetime = s.name, longestConnection
	a.Limits.Connections, a.Limits.MessagesPerConnection = connectionsEach, messagesPerConn
	a.Timeouts = smtp.Timeouts{Connect: 2 * time.Second, Greeting: time.Second, Command: time.Second, Data: time.Second, Final: 2 * time.Second}
	switch c.TLS {
	case smtptest.TLSStartTLS:
		a.TLS, a.TLSConfig, a.Username, a.Password = smtp.TLSStartTLS, s.server.ClientTLS(), "ann", "secret"
	case smtptest.TLSImplicit:
		a.TLS, a.TLSConfig = smtp.TLSImplicit, s.server.ClientTLS()
	}
	return nil
}

// close stops the servers and looks whether the limits held.
func (f farm) close() (complaints []string) {
	for _, s := range f {
		if err := s.server.Close(); err != nil {
			complaints = append(complaints, err.Error())
		}
		st := s.server.Stats()
		fmt.Printf("%-16s %9d accepted, %7d refused or broken, on %6d connections\n", s.name, st.Accepted, st.Rejected, st.Connections)
		if st.MostMessages > messagesPerConn {
			complaints = append(complaints, fmt.Sprintf("%s: %d messages on one connection", s.name, st.MostMessages))
		}
		if !s.cycles && st.Peak > 2*connectionsEach { // a server over TCP sees the end of one late
			complaints = append(complaints, fmt.Sprintf("%s: %d connections at once", s.name, st.Peak))
		}
	}
	return complaints
}
