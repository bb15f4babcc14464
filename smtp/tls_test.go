package smtp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const startTLSOffer = "S: 220 mx\nC: EHLO client.test\nS: 250-mx\nS: 250-PIPELINING\nS: 250-SIZE 1000\nS: 250 STARTTLS\n"

func TestSTARTTLSThatDoesNotCome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		mode         smtp.TLSMode
		class        smtp.Class // ClassNone: the dial goes well, unencrypted
		says         string
	}{
		{"not offered", "S: 220 mx\nC~ ^EHLO\nS: 250 mx\nS! wait", smtp.TLSStartTLS, smtp.ClassTLS, "does not offer"},
		{"not offered, not required", "S: 220 mx\nC~ ^EHLO\nS: 250 mx\nS! wait", smtp.TLSOpportunistic, smtp.ClassNone, ""},
		{"refused", startTLSOffer + "C: STARTTLS\nS: 454 TLS not available\nS! wait", smtp.TLSStartTLS, smtp.ClassTLS, "454"},
		{"refused, not required", startTLSOffer + "C: STARTTLS\nS: 454 TLS not available\nS! wait", smtp.TLSOpportunistic, smtp.ClassNone, ""},
		{"leaving", startTLSOffer + "C: STARTTLS\nS: 421 closing", smtp.TLSStartTLS, smtp.ClassConnectionLimit, "421"},
		// A 421 is no refusal to go on without TLS after.
		{"leaving, not required", startTLSOffer + "C: STARTTLS\nS: 421 closing", smtp.TLSOpportunistic, smtp.ClassConnectionLimit, "421"},
		{"gone", startTLSOffer + "C: STARTTLS\nS! close", smtp.TLSStartTLS, smtp.ClassConnect, "closed"},
		{"another success", startTLSOffer + "C: STARTTLS\nS: 250 ok\nS! wait", smtp.TLSStartTLS, smtp.ClassTLS, "250"},
		// CVE-2011-0411 and its kin: words in the clear that would be taken for the server's under TLS.
		{"injected reply", startTLSOffer + "C: STARTTLS\nS> \"220 go\\r\\n250 PIPELINING\\r\\n\"\nS! wait", smtp.TLSStartTLS, smtp.ClassProtocol, "tampering"},
		{"injected octet", startTLSOffer + "C: STARTTLS\nS> \"220 go\\r\\n2\"\nS! wait", smtp.TLSOpportunistic, smtp.ClassProtocol, "tampering"},
		{"no TLS behind it", startTLSOffer + "C: STARTTLS\nS: 220 go\nS! wait 1s\nS> \"250 ok\\r\\n250 ok\\r\\n\"\nS! wait", smtp.TLSStartTLS, smtp.ClassTLS, ""},
		{"closed behind it", startTLSOffer + "C: STARTTLS\nS: 220 go\nS! close", smtp.TLSStartTLS, smtp.ClassTLS, ""},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			d := playing(t, test.script)
			d.config.TLS, d.config.TLSConfig = test.mode, &tls.Config{InsecureSkipVerify: true}
			if test.class == smtp.ClassNone {
				if c := d.dial(); c.Info().TLS != nil {
					t.Error("TLS from nowhere")
				}
				return
			}
			e := d.refusedDial(t.Context())
			if e.Class != test.class || !strings.Contains(e.Error(), test.says) || e.Phase != smtp.PhaseTLS && e.Phase != smtp.PhaseHello {
				t.Errorf("class %v, phase %v: %v", e.Class, e.Phase, e)
			}
		})
	}
}

// A network that breaks in the handshake may hold the next time; a server without
// TLS will not have it then.
func TestABrokenHandshakeIsTemporary(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script    string
		temporary bool
	}{
		"closed":      {startTLSOffer + "C: STARTTLS\nS: 220 go\nS! close", true},
		"reset":       {startTLSOffer + "C: STARTTLS\nS: 220 go\nS! reset", true},
		"refused":     {startTLSOffer + "C: STARTTLS\nS: 454 TLS not available\nS! wait", true},
		"not offered": {"S: 220 mx\nC~ ^EHLO\nS: 250 mx\nS! wait", false},
		"no TLS":      {startTLSOffer + "C: STARTTLS\nS: 220 go\nS! wait 1s\nS> \"250 ok\\r\\n250 ok\\r\\n\"\nS! wait", false},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := playing(t, test.script)
			d.config.TLS = smtp.TLSStartTLS
			if e := d.refusedDial(t.Context()); e.Class != smtp.ClassTLS || e.Temporary() != test.temporary {
				t.Errorf("class %v, temporary %t: %v", e.Class, e.Temporary(), e)
			}
		})
	}
}

// What was offered in the clear counts for nothing once TLS is up.
func TestOffersFromBeforeTLSAreForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, "forgotten", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{TLS: smtptest.TLSStartTLS, Scripts: dialogues(startTLSOffer +
			"C: STARTTLS\nS: 220 go\nS! starttls\nC: EHLO client.test\nS: 250-mx\nS: 250 8BITMIME\nS! wait")})
		caps := d.dial().Capabilities()
		if caps.Pipelining || caps.Size || caps.StartTLS || !caps.EightBitMIME {
			t.Errorf("%+v", caps)
		}
	})
	inBubble(t, "HELO", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{TLS: smtptest.TLSStartTLS, Scripts: dialogues(startTLSOffer +
			"C: STARTTLS\nS: 220 go\nS! starttls\nC: EHLO client.test\nS: 502 what\nC: HELO client.test\nS: 250 mx\nS! wait")})
		if caps := d.dial().Capabilities(); len(caps.Keywords()) != 0 {
			t.Errorf("%+v", caps)
		}
	})
}

// authority signs certificates for the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	return a
}

func (a *authority) issue(t testing.TB, name string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

func TestCertificatesThatAreRefused(t *testing.T) {
	t.Parallel()
	var (
		ours, others = newAuthority(t), newAuthority(t)
		late         = time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC)
		past         = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		roots        = x509.NewCertPool()
	)
	roots.AddCert(ours.cert)
	for _, test := range []struct {
		name, hint string
		server     *tls.Config
		good       bool
	}{
		{"good", "", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "localhost", late)}}, true},
		{"untrusted", "install its CA", &tls.Config{Certificates: []tls.Certificate{others.issue(t, "localhost", late)}}, false},
		{"expired", "clock", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "localhost", past)}}, false},
		{"another name", "another name", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "mail.example.org", late)}}, false},
		{"TLS 1.1", "TLS 1.2", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "localhost", late)},
			MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		for _, mode := range []smtptest.TLSMode{smtptest.TLSImplicit, smtptest.TLSStartTLS} {
			inBubble(t, test.name, func(t *testing.T) {
				d := newDesk(t, smtptest.Config{TLS: mode, TLSConfig: test.server})
				d.config.TLSConfig = &tls.Config{RootCAs: roots}
				if test.good {
					d.dial()
					return
				}
				e := d.refusedDial(t.Context())
				if e.Class != smtp.ClassTLS || e.Phase != smtp.PhaseTLS || !strings.Contains(e.Hint, test.hint) || e.Temporary() {
					t.Errorf("class %v, temporary %v: %v", e.Class, e.Temporary(), e)
				}
				if opportunist := d.config; mode == smtptest.TLSStartTLS {
					opportunist.TLS = smtp.TLSOpportunistic
					if _, err := smtp.Dial(t.Context(), opportunist); !errors.Is(err, smtp.ClassTLS) {
						t.Errorf("opportunistic: %v", err)
					}
				}
			})
		}
	}
}

// The wrong kind of port, with the word that helps.
func TestTLSAndPlainMixedUp(t *testing.T) {
	t.Parallel()
	inBubble(t, "TLS to a plain port", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{})
		d.config.TLS = smtp.TLSImplicit
		if e := d.refusedDial(t.Context()); e.Class != smtp.ClassTLS || !strings.Contains(e.Hint, "STARTTLS") {
			t.Errorf("class %v: %v", e.Class, e)
		}
	})
	inBubble(t, "TLS to a silent port", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseConnect, Action: smtptest.Stall}}})
		d.config.TLS = smtp.TLSImplicit
		if e := d.refusedDial(t.Context()); e.Class != smtp.ClassTimeout || !strings.Contains(e.Hint, "STARTTLS") {
			t.Errorf("class %v: %v", e.Class, e)
		}
	})
	inBubble(t, "plain to a TLS port", func(t *testing.T) {
		d := newDesk(t, smtptest.Config{TLS: smtptest.TLSImplicit})
		d.config.TLS = smtp.TLSStartTLS
		if e := d.refusedDial(t.Context()); e.Class != smtp.ClassTimeout || !strings.Contains(e.Hint, "TLS from the first octet") {
			t.Errorf("class %v: %v", e.Class, e)
		}
	})
}
