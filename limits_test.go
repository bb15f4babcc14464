package kaizen_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// traffic is a few programs that share an account, each for a while.
type traffic struct {
	*testing.T
	*mathrand.Rand
	server  *smtptest.Server
	dir     string
	account kaizen.Account
	clients []*kaizen.Client
	sending sync.WaitGroup
	n       int
}

// Whatever comes and goes, processes, passwords, connections and messages that
// are given up, no window of the server's clock ever overflows.
func TestNoWindowOverflows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := mathrand.New(mathrand.NewPCG(seed, 3))
			config := smtptest.Config{Auth: &smtptest.Auth{AnySecret: true}, Latency: time.Duration(random.IntN(80)) * time.Millisecond,
				Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Prob: 0.02},
					{Phase: smtptest.PhaseMAIL, Action: smtptest.Drop, Prob: 0.02}, {Phase: smtptest.PhaseRCPT, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 550, Text: "5.1.1 no"}, Prob: 0.05}}}
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				w := &traffic{T: t, Rand: random, server: s, dir: t.TempDir(), account: account(s)}
				w.account.Name, w.account.Username = "work", "ann"
				w.account.Limits.Rates = []kaizen.Rate{{Count: 1 + random.IntN(15), Per: time.Second}, {Count: 20 + random.IntN(60), Per: 30 * time.Second}}
				for range 600 {
					<-time.After(time.Duration(w.Int64N(int64(100 * time.Millisecond))))
					w.step()
				}
				w.sending.Wait()
				for len(w.clients) > 0 {
					w.leave()
				}
				w.check()
			})
		})
	}
}

func (w *traffic) step() {
	switch n := w.IntN(60); {
	case n == 0 && len(w.clients) > 0:
		w.leave()
	case n < 3 && len(w.clients) < 3, len(w.clients) == 0:
		w.clients = append(w.clients, stateful(w.T, w.dir))
	case n == 4:
		w.server.CloseConnections(smtptest.CloseRST)
	default:
		w.send()
	}
}

func (w *traffic) leave() {
	i := w.IntN(len(w.clients))
	closeAll(w.T, w.clients[i])
	w.clients = slices.Delete(w.clients, i, i+1)
}

// send sends one with one of a few passwords; some callers are impatient.
func (w *traffic) send() {
	client, a := w.clients[w.IntN(len(w.clients))], w.account
	a.Password = fmt.Sprint("password", w.IntN(3))
	patience := time.Duration(w.Int64N(int64(time.Minute)))
	w.n++
	message := note(fmt.Sprint(w.n))
	w.sending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _ = client.Send(ctx, a, message)
	})
}

func (w *traffic) check() {
	times := w.server.MailTimes()
	slices.SortFunc(times, time.Time.Compare)
	if len(times) < 20 {
		w.Errorf("the server saw %d messages", len(times))
	}
	for _, r := range w.account.Limits.Rates {
		for i := range times {
			if j := i + r.Count; j < len(times) && times[j].Sub(times[i]) < r.Per {
				w.Fatalf("%v: %d messages within %v", r, r.Count+1, times[j].Sub(times[i]))
			}
		}
	}
}

// Octets are counted, too, and what is not known to fit is not sent.
func TestLimitOfOctets(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		a := account(s)
		size, known := note("1").Content.Size()
		if !known {
			t.Fatal("a small content does not know its size")
		}
		a.Limits.Rates = []kaizen.Rate{{Count: int(3 * size), Per: time.Minute, Unit: kaizen.Octets}}
		began := time.Now()
		sendAll(t, client, a, 9)
		if d := time.Since(began); d < 2*time.Minute || d > 3*time.Minute {
			t.Errorf("9 messages, 3 of which fit into a minute, took %v", d)
		}
		big := note("big")
		big.Content = smtp.Bytes([]byte("\r\n" + strings.Repeat("a\r\n", int(2*size))))
		_, err := client.Send(t.Context(), a, big)
		if err == nil || !strings.Contains(err.Error(), "make it smaller") {
			t.Errorf("%v", err)
		}
		closeAll(t, client)
	})
}

// expiring makes TLS settings of a server whose certificate ends then.
func expiring(t *testing.T, end time.Time) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func TestCertificatesThatEndSoonAreTold(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]string{5: "expires in 5 days", 40: ""} {
		end := time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour)
		config, roots := expiring(t, end)
		s := memoryServer(t, smtptest.Config{TLS: smtptest.TLSStartTLS, TLSConfig: config})
		told := make(chan kaizen.Health, 10)
		client := kaizen.New(kaizen.Config{OnHealth: func(h kaizen.Health) { told <- h }})
		a := kaizen.Account{Host: "localhost", TLSConfig: &tls.Config{RootCAs: roots}, DialContext: s.DialContext}
		sendAll(t, client, a, 1)
		h := client.Health()[0]
		closeAll(t, client)
		if h.Condition != kaizen.Healthy || h.Certificate.Sub(end).Abs() > time.Second || strings.Join(h.Warnings, "") != "" != (want != "") {
			t.Errorf("%d days: %+v", days, h)
		}
		close(told)
		event := <-told
		if !strings.Contains(strings.Join(event.Warnings, ""), want) || want == "" && event.Account != "" {
			t.Errorf("%d days: told %+v", days, event)
		}
	}
}
