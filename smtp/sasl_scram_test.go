package smtp_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/xdg-go/scram"
)

// The examples of RFC 5802 §5 and RFC 7677 §3.
func TestScramVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ name, nonce, first, serverFirst, final, serverFinal string }{
		{"SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
		{"SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	} {
		a := smtp.Auth{Username: "user", Password: "pencil"}
		m, err := a.ScramWithNonce(v.name, v.nonce)
		if err != nil {
			t.Fatal(err)
		}
		if got := start(t, m, v.name); string(got) != v.first {
			t.Errorf("%s: first %q", v.name, got)
		}
		if got, err := m.Next([]byte(v.serverFirst)); err != nil || string(got) != v.final {
			t.Errorf("%s: final %q, %v", v.name, got, err)
		}
		if smtp.Finished(m) == nil {
			t.Errorf("%s: verified before the server's proof", v.name)
		}
		if got, err := m.Next([]byte(v.serverFinal)); err != nil || got == nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", v.name, got, err)
		}
		if err := smtp.Finished(m); err != nil {
			t.Error(err)
		}
		if _, err := m.Next(nil); err == nil {
			t.Errorf("%s: went on after the end", v.name)
		}
	}
}

var hashes = map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-512": scram.SHA512}

func scramServer(t *testing.T, name, username, password string) *scram.Server {
	t.Helper()
	hash := hashes[strings.TrimSuffix(name, "-PLUS")]
	client, err := hash.NewClient(username, password, "")
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt and pepper", Iters: 4096})
	if err != nil {
		t.Fatal(err)
	}
	server, err := hash.NewServer(func(string) (scram.StoredCredentials, error) { return credentials, nil })
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// converse plays an exchange and returns the server's side of it. What the
// server says in the end comes as a challenge, its own error too.
func converse(t *testing.T, m smtp.Mechanism, name string, server *scram.ServerConversation) *scram.ServerConversation {
	t.Helper()
	response := start(t, m, name)
	for range 2 {
		challenge, _ := server.Step(string(response))
		var err error
		if response, err = m.Next([]byte(challenge)); err != nil {
			t.Fatal(err)
		}
		if server.Done() {
			break
		}
	}
	return server
}

func TestScramAgainstServer(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "us=er,é", Password: "pa,ss\u00a0wörd", Identity: "boss"}
	for name := range hashes {
		server := scramServer(t, name, a.Username, a.Password).NewConversation()
		m := newMechanism(t, a, name, nil)
		converse(t, m, name, server)
		if !server.Valid() || server.Username() != a.Username || server.AuthzID() != "boss" {
			t.Errorf("%s: the server saw %q for %q, valid %t", name, server.Username(), server.AuthzID(), server.Valid())
		}
		if err := smtp.Finished(m); err != nil {
			t.Error(err)
		}
	}
}

func TestScramWrongPassword(t *testing.T) {
	t.Parallel()
	m := newMechanism(t, smtp.Auth{Username: "u", Password: "wrong"}, "SCRAM-SHA-256", nil)
	if converse(t, m, "SCRAM-SHA-256", scramServer(t, "SCRAM-SHA-256", "u", "right").NewConversation()).Valid() {
		t.Fatal("accepted")
	}
	if err := smtp.RefusedBecause(m); err == nil || !strings.Contains(err.Error(), "invalid-proof") {
		t.Error(err)
	}
	if smtp.Finished(m) == nil {
		t.Error("a server without the password counts as verified")
	}
}

func TestScramNewerCharacters(t *testing.T) {
	t.Parallel()
	m := newMechanism(t, smtp.Auth{Username: "u", Password: "\u0007bell"}, "SCRAM-SHA-256", nil)
	start(t, m, "SCRAM-SHA-256")
}

func TestScramRefusesOddServers(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "u", Password: "p"}
	for _, challenge := range []string{
		"", "nonsense", "r=other,s=QSXCR+Q6sek8bf92,i=4096", "r=nonce1,s=QSXCR+Q6sek8bf92,i=1",
		"r=nonce1,s=QSXCR+Q6sek8bf92,i=2000000000", "r=nonce1,s=QSXCR+Q6sek8bf92,i=99999999999999999999",
	} {
		m, err := a.ScramWithNonce("SCRAM-SHA-1", "nonce")
		if err != nil {
			t.Fatal(err)
		}
		start(t, m, "SCRAM-SHA-1")
		if response, err := m.Next([]byte(challenge)); err == nil {
			t.Errorf("%q was answered with %q", challenge, response)
		}
	}
}

// handshake returns both ends' view of one TLS channel.
func handshake(t *testing.T, version uint16) (client, server tls.ConnectionState) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	config := web.TLS.Clone()
	config.NextProtos = nil
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	web.Close()
	near, far := net.Pipe()
	s := tls.Server(far, config)
	c := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: version, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	// The session tickets of TLS 1.3 are still to be read.
	go c.Read(make([]byte, 1)) //nolint:errcheck // ends with the pipe
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return c.ConnectionState(), s.ConnectionState()
}

func TestScramChannelBinding(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "u", Password: "p"}
	for _, test := range []struct {
		kind    scram.ChannelBindingType
		version uint16
	}{{scram.ChannelBindingTLSExporter, tls.VersionTLS13}, {scram.ChannelBindingTLSUnique, tls.VersionTLS12}, {scram.ChannelBindingTLSServerEndpoint, tls.VersionTLS12}} {
		near, far := handshake(t, test.version)
		if test.kind == scram.ChannelBindingTLSServerEndpoint {
			near.TLSUnique = nil
			far.PeerCertificates = near.PeerCertificates
		}
		binding := serverBinding(t, test.kind, &far)
		for name := range hashes {
			name += "-PLUS"
			server := scramServer(t, name, "u", "p").NewConversationWithChannelBindingRequired(binding)
			m := newMechanism(t, a, name, &near)
			if converse(t, m, name, server); !server.Valid() || smtp.Finished(m) != nil {
				t.Errorf("%s with %s failed", name, test.kind)
			}
		}
		binding.Data[0] ^= 1 // someone sits in between
		server := scramServer(t, "SCRAM-SHA-256", "u", "p").NewConversationWithChannelBindingRequired(binding)
		m := newMechanism(t, a, "SCRAM-SHA-256-PLUS", &near)
		if converse(t, m, "SCRAM-SHA-256-PLUS", server); server.Valid() || smtp.Finished(m) == nil {
			t.Errorf("%s: another channel was accepted", test.kind)
		}
	}
}

func serverBinding(t *testing.T, kind scram.ChannelBindingType, state *tls.ConnectionState) scram.ChannelBinding {
	t.Helper()
	var binding scram.ChannelBinding
	var err error
	switch kind {
	case scram.ChannelBindingTLSExporter:
		binding, err = scram.NewTLSExporterBinding(state)
	case scram.ChannelBindingTLSUnique:
		binding = scram.NewTLSUniqueBinding(state.TLSUnique)
	default:
		binding, err = scram.NewTLSServerEndpointBinding(state)
	}
	if err != nil {
		t.Fatal(err)
	}
	return binding
}

func TestChannelBindingNeedsTLS(t *testing.T) {
	t.Parallel()
	for _, state := range []*tls.ConnectionState{nil, {}, {Version: tls.VersionTLS13}, {Version: tls.VersionTLS12, HandshakeComplete: true}} {
		if _, err := smtp.ChannelBinding(state); err == nil {
			t.Errorf("%+v binds", state)
		}
	}
	if _, err := (&smtp.Auth{}).Mechanism(t.Context(), "SCRAM-SHA-1-PLUS", anywhere); err == nil {
		t.Error("channel binding without a channel")
	}
}

func FuzzScramChallenges(f *testing.F) {
	f.Add("r=nonce1,s=QSXCR+Q6sek8bf92,i=4096", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
	f.Add("e=other-error", "")
	f.Fuzz(func(t *testing.T, first, final string) {
		if strings.Contains(first, "i=") && !strings.Contains(first, "i=4096") {
			return // as much work as it says
		}
		m, err := (&smtp.Auth{Username: "u", Password: "p"}).ScramWithNonce("SCRAM-SHA-1", "nonce")
		if err != nil {
			t.Fatal(err)
		}
		start(t, m, "SCRAM-SHA-1")
		if _, err := m.Next([]byte(first)); err == nil {
			m.Next([]byte(final)) //nolint:errcheck // either is fine
		}
		if smtp.Finished(m) == nil {
			t.Error("verified by chance")
		}
	})
}
