package smtp_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// secured is a server whose certificate an authority issued, and what reaches it.
func secured(t *testing.T, mode smtptest.TLSMode, change func(*tls.Config)) (*smtptest.Server, smtp.Config, *authority, tls.Certificate) {
	t.Helper()
	ca, own := newAuthority(t), newAuthority(t)
	// The leaf has a key of its own.
	leaf := ca.issueFor(t, "mx.test", own)
	settings := &tls.Config{Certificates: []tls.Certificate{leaf}}
	if change != nil {
		change(settings)
	}
	s := listening(t, smtptest.Config{TLS: mode, TLSConfig: settings, Auth: &smtptest.Auth{Mechanisms: []string{"EXTERNAL"}}})
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	config := smtp.Config{Host: "mx.test", Port: 25, TLS: smtp.TLSStartTLS, DialContext: s.DialContext, TLSConfig: &tls.Config{RootCAs: roots}}
	if mode == smtptest.TLSImplicit {
		config.TLS = smtp.TLSImplicit
	}
	return s, config, ca, leaf
}

// issueFor signs a certificate for the key of somebody else.
func (a *authority) issueFor(t *testing.T, name string, subject *authority) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(3), DNSNames: []string{name},
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &subject.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: subject.key}
}

func pinOf(t *testing.T, der []byte) string {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	// As curl makes it: openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256 | base64
	spki, err := x509.MarshalPKIXPublicKey(c.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	pin := "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
	if smtp.KeyPin(c) != pin {
		t.Errorf("KeyPin says %s, not %s", smtp.KeyPin(c), pin)
	}
	return pin
}

func TestPinnedKeys(t *testing.T) {
	t.Parallel()
	for _, mode := range []smtptest.TLSMode{smtptest.TLSStartTLS, smtptest.TLSImplicit} {
		_, config, ca, leaf := secured(t, mode, nil)
		own, above := pinOf(t, leaf.Certificate[0]), pinOf(t, ca.cert.Raw)
		strange := pinOf(t, newAuthority(t).cert.Raw)
		for name, test := range map[string]struct {
			pins []string
			skip bool
			ok   bool
		}{
			"its own":                         {[]string{own}, false, true},
			"its authority's":                 {[]string{above}, false, true},
			"one of several":                  {[]string{strange, " " + own}, false, true},
			"another":                         {[]string{strange}, false, false},
			"its own, nothing else verified":  {[]string{own}, true, true},
			"another, nothing else verified":  {[]string{strange}, true, false},
			"one that was not shown verified": {[]string{above}, true, false},
		} {
			config.PinnedKeys = test.pins
			config.TLSConfig = config.TLSConfig.Clone()
			config.TLSConfig.InsecureSkipVerify = test.skip
			c, err := smtp.Dial(t.Context(), config)
			if err == nil {
				c.Close()
			}
			if (err == nil) != test.ok {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil {
				continue
			}
			var pin *smtp.PinError
			e := known(t, err)
			if e.Class != smtp.ClassTLS || e.Temporary() || !errors.As(err, &pin) || pin.Has[0] != own || !strings.Contains(err.Error(), own) || !strings.Contains(e.Hint, "on purpose") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Pins come on top of what TLSConfig demands.
func TestPinsReplaceNothing(t *testing.T) {
	t.Parallel()
	_, config, _, leaf := secured(t, smtptest.TLSImplicit, nil)
	config.PinnedKeys = []string{pinOf(t, leaf.Certificate[0])}
	trusted := config.TLSConfig
	config.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	if e := notDialled(t, config); !strings.Contains(e.Error(), "unknown authority") {
		t.Error(e)
	}
	config.TLSConfig = trusted.Clone()
	asked, no := 0, errors.New("not today")
	config.TLSConfig.VerifyConnection = func(tls.ConnectionState) error { asked++; return no }
	if e := notDialled(t, config); !errors.Is(e, no) || asked != 1 {
		t.Error(e)
	}
	no = nil
	dial(t, config)
}

func TestCheckPin(t *testing.T) {
	t.Parallel()
	good := "sha256//" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for pin, ok := range map[string]bool{good: true, "": false, "sha256//": false, good[8:]: false, good + "x": false, "sha1//" + good[8:]: false, "sha256/" + good[7:]: true,
		"sha256//" + base64.StdEncoding.EncodeToString(make([]byte, 31)): false, good + ";" + good: false} {
		if err := smtp.CheckPin(pin); (err == nil) != ok {
			t.Errorf("%q: %v", pin, err)
		}
	}
}

// sessionsOf dials as often as told and says which connections were resumed.
func sessionsOf(t *testing.T, s *smtptest.Server, config smtp.Config, times int) (resumed []bool) {
	t.Helper()
	for range times {
		c := dial(t, config)
		if _, err := hand(t, c, note()); err != nil { // a ticket of TLS 1.3 comes with what is read
			t.Fatal(err)
		}
		resumed = append(resumed, c.Info().TLS.DidResume)
		c.Quit(t.Context())
	}
	for i, info := range s.Connections()[len(s.Connections())-times:] {
		if info.Resumed != resumed[i] {
			t.Errorf("connection %d: the server says %t, we %t", i, info.Resumed, resumed[i])
		}
	}
	return resumed
}

func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, mode := range []smtptest.TLSMode{smtptest.TLSStartTLS, smtptest.TLSImplicit} {
			s, config, _, _ := secured(t, mode, func(c *tls.Config) { c.MaxVersion = version })
			if r := sessionsOf(t, s, config, 2); r[0] || r[1] {
				t.Errorf("resumed without a place to keep sessions: %v", r)
			}
			config.Sessions = tls.NewLRUClientSessionCache(1)
			if r := sessionsOf(t, s, config, 3); r[0] || !r[1] || !r[2] {
				t.Errorf("%s: resumed %v", tls.VersionName(version), r)
			}
			// Whoever keeps sessions himself goes on to.
			config.TLSConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			if r := sessionsOf(t, s, config, 2); r[0] || !r[1] {
				t.Errorf("with a cache of the caller's: resumed %v", r)
			}
		}
	}
}

// What a pin demands is asked for on every connection, resumed or not.
func TestPinsHoldOnResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s, config, _, leaf := secured(t, smtptest.TLSImplicit, func(c *tls.Config) { c.MaxVersion = version })
		config.Sessions = tls.NewLRUClientSessionCache(1)
		config.PinnedKeys = []string{pinOf(t, leaf.Certificate[0])}
		if r := sessionsOf(t, s, config, 2); !r[1] {
			t.Errorf("resumed %v", r)
		}
		config.PinnedKeys = []string{pinOf(t, newAuthority(t).cert.Raw)}
		var pin *smtp.PinError
		if e := notDialled(t, config); !errors.As(e, &pin) {
			t.Error(e)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, mode := range []smtptest.TLSMode{smtptest.TLSStartTLS, smtptest.TLSImplicit} {
			clients := newAuthority(t)
			known := x509.NewCertPool()
			known.AddCert(clients.cert)
			_, config, _, _ := secured(t, mode, func(c *tls.Config) {
				c.MaxVersion, c.ClientAuth, c.ClientCAs = version, tls.RequireAndVerifyClientCert, known
			})
			late := time.Date(2048, 1, 1, 0, 0, 0, 0, time.UTC)
			for name, certificates := range map[string][]tls.Certificate{"none": nil, "a stranger's": {newAuthority(t).issue(t, "ann", late)}} {
				config.TLSConfig.Certificates = certificates
				if e := notDialled(t, config); e.Class != smtp.ClassTLS || e.Temporary() || !strings.Contains(e.Hint, "client certificate") {
					t.Errorf("%s, %s: class %v: %v", tls.VersionName(version), name, e.Class, e)
				}
			}
			config.TLSConfig.Certificates = []tls.Certificate{clients.issue(t, "ann", late)}
			config.Auth = &smtp.Auth{} // EXTERNAL
			if err := dial(t, config).Authenticate(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLowestVersionOfTLS(t *testing.T) {
	t.Parallel()
	_, config, _, _ := secured(t, smtptest.TLSImplicit, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	trusted := config.TLSConfig
	for min, ok := range map[string]bool{"": false, "1.0": true, "1.1": true, "1.2": false, "1.3": false} {
		config.TLSConfig = trusted.Clone()
		want := "TLS 1.2"
		if min != "" {
			version, err := smtp.ParseTLSVersion(min)
			if err != nil {
				t.Fatal(err)
			}
			config.TLSConfig.MinVersion, want = version, "TLS "+min
		}
		if ok {
			dial(t, config)
			continue
		}
		if e := notDialled(t, config); e.Class != smtp.ClassTLS || !strings.Contains(e.Hint, want) {
			t.Errorf("%q: %v", min, e)
		}
	}
	for _, text := range []string{"", "1", "1.4", "TLS 1.2", "tls1.2", "0x0303"} {
		if _, err := smtp.ParseTLSVersion(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
