package main_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/kaizenotel"
	"github.com/kaizenmail/kaizen/kaizenprom"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// verbs are all of package fmt that take text or a struct.
var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%x", "%X", "% x", "%d", "%t", "%08v", "%c", "%U"}

// show searches a value as it is printed, marshalled and logged, alone and inside
// of others.
func (s *stage) show(where string, values ...any) {
	s.t.Helper()
	for _, v := range values {
		var shown bytes.Buffer
		for _, in := range []any{v, []any{v}, &struct{ V any }{v}} {
			for _, verb := range verbs {
				fmt.Fprintf(&shown, verb+"\n", in)
			}
			marshalled, err := json.Marshal(in)
			fmt.Fprintln(&shown, string(marshalled), err)
			slog.New(slog.NewJSONHandler(&shown, nil)).Info("m", "v", in)
			slog.New(slog.NewTextHandler(&shown, nil)).Info("m", "v", in)
		}
		s.search(fmt.Sprintf("%s: %T printed, marshalled or logged", where, v), shown.String())
		err, _ := v.(error)
		if below := errors.Unwrap(err); below != nil {
			s.show(where, below)
		}
	}
}

// notebook is a log that several goroutines write.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// exercise sends with an account in every way, and searches all that the library
// tells: values, errors, logs, hooks, spans, metrics and the state directory.
func (s *stage) exercise(where string, a kaizen.Account) {
	s.t.Helper()
	ctx, log, exporter := s.t.Context(), &notebook{}, tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	state := filepath.Join(s.dir, "state")
	tell := func(values ...any) { fmt.Fprintf(log, "%v %+v %#v\n", values, values, values) }
	a.Trace = &smtp.Trace{Sent: func(line string) { tell(line) }, Received: func(r smtp.Reply) { tell(r) }, Closed: func(err error) { tell(err) },
		ConnectDone: func(_, addr string, err error) { tell(addr, err) }, TLSDone: func(c tls.ConnectionState, err error) { tell(c.Version, err) }}
	config := kaizen.Config{Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), StateDir: state,
		OnHealth: func(h kaizen.Health) { tell(h) },
		Trace: kaizenotel.New(kaizenotel.Options{TracerProvider: provider, AccountLabel: func(name string) string { return name },
			Addresses: true, MessageIDs: true, Replies: true})}
	client := kaizen.New(config)
	collector := kaizenprom.New(client, kaizenprom.Options{AccountLabel: func(name string) string { return name }})
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	m := &message.Message{From: "ann@example.com", To: []string{"bob@example.org"}, Subject: "Hello", Text: "hi"}
	receipt, err := client.Send(ctx, a, m)
	s.show(where, receipt, err, a, &a, a.Auth, a.Limits, client, client.Stats(), client.Health(), collector, m)
	s.show(where, client.Verify(ctx, a))
	transport, err := client.Transport(ctx, a)
	s.show(where, transport, err)
	families, err := registry.Gather()
	s.search(where+": metrics", fmt.Sprint(families, err))
	if err := client.Close(); err != nil {
		s.t.Error(err)
	}
	statuses, err := kaizen.ReadStatus(state)
	s.show(where, statuses, err)
	for _, span := range exporter.GetSpans() {
		s.search(where+": a span", fmt.Sprintf("%+v", span))
	}
	if len(exporter.GetSpans()) == 0 || len(families) == 0 || where == string(atLogin) && len(statuses) == 0 {
		s.t.Errorf("%s: %d spans, %d statuses, %d metrics", where, len(exporter.GetSpans()), len(statuses), len(families))
	}
	contains(s.t, log.String(), "AUTH ", "EHLO")
	s.search(where+": the log", log.String())
}

// Each login that a program can make, to servers that repeat it.
func TestLibraryTellsNoSecrets(t *testing.T) {
	t.Parallel()
	token := func(context.Context) (string, error) { return secrets["an OAuth token"], nil }
	for i, c := range []struct {
		name, method, secret string
		auth                 *smtp.Auth
	}{
		{"password", "PLAIN", "special in JSON and TOML", nil},
		{"LOGIN", "LOGIN", "not ASCII", &smtp.Auth{Username: "ann", Password: secrets["not ASCII"]}},
		{"identity", "PLAIN", "of another identity", &smtp.Auth{Username: "ann", Password: secrets["of another identity"], Identity: "boss"}},
		{"XOAUTH2", "XOAUTH2", "an OAuth token", &smtp.Auth{Username: "ann", Token: token}},
		{"OAUTHBEARER", "OAUTHBEARER", "an OAuth token", &smtp.Auth{Username: "ann", Token: token}},
		{"caller's mechanism", "PLAIN", "made by a mechanism of ours", &smtp.Auth{New: func(string, smtp.ServerInfo) (smtp.Mechanism, error) {
			return sasl.NewPlainClient("", "ann", secrets["made by a mechanism of ours"]), nil
		}}},
		{"token for both", "PLAIN", "token as the user name, too", &smtp.Auth{Username: secrets["token as the user name, too"], Password: secrets["token as the user name, too"]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, m := range []moment{atLogin, atMail, atRecipient, atEnd, instead, atGoodbye} {
				if i > 0 && m != atLogin && m != atEnd { // one login is enough for the other moments
					continue
				}
				e := newEcho(t, m, c.method)
				host, port, err := net.SplitHostPort(e.addr())
				if err != nil {
					t.Fatal(err)
				}
				a := kaizen.Account{Host: host, TLS: smtp.TLSNone, Auth: c.auth, Limits: kaizen.Limits{Rates: kaizen.NoRate(), Connections: 1}}
				if _, err := fmt.Sscan(port, &a.Port); err != nil {
					t.Fatal(err)
				}
				if c.auth == nil {
					a.Username, a.Password = "ann", secrets[c.secret]
				}
				newStage(t).exercise(string(m), a)
				if !e.knows(secrets[c.secret]) {
					t.Errorf("%s: the server was not told the secret", m)
				}
			}
		})
	}
}

// A client's TLS key, and a DKIM key.
func TestLibraryTellsNoKeys(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	key := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ann"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server, err := smtptest.Listen(smtptest.Config{TLS: smtptest.TLSImplicit, Auth: &smtptest.Auth{Mechanisms: []string{"EXTERNAL"}, Required: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	a, err := kaizen.ParseURL("smtps://" + server.Addr() + "?rate=none")
	if err != nil {
		t.Fatal(err)
	}
	a.TLSConfig, a.Auth = server.ClientTLS(), &smtp.Auth{}
	a.TLSConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	s.exercise("a TLS key", a)
	s.show("a TLS key", smtp.Config{Host: a.Host, TLSConfig: a.TLSConfig, Auth: a.Auth})

	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	signing, err := message.ParseDKIMKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	signed := &message.Message{From: "ann@example.com", To: []string{"bob@example.org"}, Text: "hi",
		DKIM: []message.DKIM{{Domain: "example.com", Selector: "s", Key: signing}}}
	prepared, err := kaizen.Prepare(signed)
	var content bytes.Buffer
	if _, err := signed.WriteTo(&content); err != nil {
		t.Fatal(err)
	}
	contains(t, content.String(), "DKIM-Signature:")
	s.show("a DKIM key", signing, signed.DKIM, signed, prepared, err, content.String())
	for _, broken := range []string{text[:70], text + text, text[28:], secrets["a DKIM key, Ed25519"] + "=", secrets["a DKIM key, Ed25519"] + " x", "-----BEGIN X-----\n" + text} {
		_, err := message.ParseDKIMKey([]byte(broken))
		s.show("a broken DKIM key", err)
		s.hold("dkim.pem", broken)
		s.env["KAIZEN_SERVER"] = "smtp://127.0.0.1:1?tls=none"
		s.run("", from("--dkim", "example.com:s:dkim.pem")...)
	}
	s.hold("dkim.pem", text)
	plain, err := smtptest.Listen(smtptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	s.env["KAIZEN_SERVER"] = addressOf(plain.Addr())
	s.want(0, "", from("--dkim", "example.com:s:dkim.pem", "--transcript", "--json")...)
}

// What package accounts hands out.
func TestStoreTellsNoSecrets(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t), t.Context()
	s.holdKey()
	store, err := accounts.Open(accounts.Options{Dir: filepath.Join(s.dir, "config"), LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	e := accounts.Entry{Name: "work", Host: "mx.example.com", Username: "ann"}
	if err := store.Add(ctx, e, secrets["in secrets.age"]); err != nil {
		t.Fatal(err)
	}
	a, err := store.Account(ctx, "work")
	if err != nil || a.Password != secrets["in secrets.age"] {
		t.Fatal("the password is not there:", err)
	}
	entry, err := store.Entry("work")
	key, _ := store.Key()
	s.show("the store", store, a, a.Auth, entry, entry.Settings(), entry.Secret, key, err, kaizen.Config{Accounts: store})
	report, err := store.Rekey(ctx, accounts.RekeyOptions{})
	s.show("rekeying", report, err)
	for _, wrong := range []string{secrets["in secrets.age"] + "\n", secrets["in secrets.age"] + "\x00", secrets["in secrets.age"] + "\xff"} {
		err := store.SetSecret(ctx, "work", wrong)
		if err == nil {
			t.Error("a password with a control character is taken")
		}
		s.show("a password that is none", err, store.SetSecret(ctx, "nobody", secrets["in secrets.age"]))
	}
	var bundle bytes.Buffer
	exported, err := store.Export(ctx, &bundle, accounts.ExportOptions{Passphrase: func(context.Context, accounts.PassphraseRequest) (string, error) {
		return secrets["passphrase of a bundle"], nil
	}})
	s.show("a bundle", exported, err, bundle.String())
}
