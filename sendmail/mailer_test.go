package sendmail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	plain := smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net", "cid@example.net")}
	for name, c := range map[string]struct {
		options  sendmail.Options
		envelope smtp.Envelope
		want     string
	}{
		"plain":       {sendmail.Options{}, plain, "-i -f ann@example.com -- bob@example.net cid@example.net"},
		"null sender": {sendmail.Options{}, smtp.Envelope{To: smtp.To("bob@example.net")}, "-i -f <> -- bob@example.net"},
		"arguments":   {sendmail.Options{Args: []string{"-a", "two words"}}, plain, "-a two words -i -f ann@example.com -- bob@example.net cid@example.net"},
		"its own -oi": {sendmail.Options{Args: []string{"-oi"}}, plain, "-oi -f ann@example.com -- bob@example.net cid@example.net"},
		"like options": {sendmail.Options{}, smtp.Envelope{From: "-odq@example.com", To: smtp.To("-bs@example.net", "--@example.net")},
			"-i -f -odq@example.com -- -bs@example.net --@example.net"},
		"not a shell's": {sendmail.Options{}, smtp.Envelope{From: "`a`@example.com", To: smtp.To("$HOME|b@example.net")}, "-i -f `a`@example.com -- $HOME|b@example.net"},
		"no wishes":     {sendmail.Options{}, wishful(), "-i -f ann@example.com -- bob@example.net"},
		"wishes":        {sendmail.Options{DSN: true}, wishful(), "-i -N success,delay -R hdrs -V id7 -f ann@example.com -- bob@example.net"},
		"never": {sendmail.Options{DSN: true}, smtp.Envelope{From: "ann@example.com", Return: smtp.ReturnFull, To: []smtp.Recipient{{Address: "bob@example.net", Notify: smtp.NotifyNever}}},
			"-i -N never -R full -f ann@example.com -- bob@example.net"},
		"different wishes": {sendmail.Options{DSN: true}, smtp.Envelope{To: []smtp.Recipient{{Address: "bob@example.net", Notify: smtp.NotifyNever}, {Address: "cid@example.net"}}},
			"-i -f <> -- bob@example.net cid@example.net"},
		"utf-8": {sendmail.Options{}, smtp.Envelope{From: "änn@bücher.example", To: smtp.To("bob@bücher.example")}, "-i -f änn@bücher.example -- bob@bücher.example"},
		"idna":  {sendmail.Options{}, smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@bücher.example")}, "-i -f ann@example.com -- bob@xn--bcher-kva.example"},
	} {
		got, r := received(t, c.options, &smtp.Transaction{Envelope: c.envelope})
		if args := strings.Join(got.Args, " "); args != c.want || r.Err != nil {
			t.Errorf("%s: %s, want %s (%v)", name, args, c.want, r.Err)
		}
		if got.Stdin != localText(body) {
			t.Errorf("%s: got %q", name, got.Stdin)
		}
	}
}

func wishful() smtp.Envelope {
	return smtp.Envelope{From: "ann@example.com", Return: smtp.ReturnHeaders, EnvelopeID: "id7",
		To: []smtp.Recipient{{Address: "bob@example.net", Notify: smtp.NotifySuccess | smtp.NotifyDelay, OriginalRecipient: "x@example.net"}}}
}

func TestRequireTLSIsRefused(t *testing.T) {
	t.Parallel()
	r := handed(t, t.Context(), sendmail.New(commandOptions(t, "read")), &smtp.Transaction{
		Envelope: smtp.Envelope{RequireTLS: true, To: smtp.To("bob@example.net")}})
	if r.Outcome != smtp.NotSent || !errors.Is(r.Err, smtp.ClassTLS) {
		t.Error(r.Err)
	}
}

// Recipients beyond the room of a command line get one of their own; all or
// nothing, none gets the message.
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	to := make([]string, 10_000)
	for i := range to {
		to[i] = fmt.Sprintf("somebody-%d@example.net", i)
	}
	e := smtp.Envelope{From: "ann@example.com", To: smtp.To(to...)}
	got, r := received(t, sendmail.Options{}, &smtp.Transaction{Envelope: e})
	n := len(got.Args) - 4
	if n < 300 || n >= len(to) || r.Outcome != smtp.Accepted || r.Err.Class != smtp.ClassTooManyRecipients {
		t.Fatal(n, r.Err)
	}
	for i, one := range r.Recipients {
		if accepted := one.Outcome == smtp.Accepted; accepted != (i < n) || !accepted && one.Class != smtp.ClassTooManyRecipients {
			t.Fatal(i, one)
		}
	}
	if _, r := received(t, sendmail.Options{}, &smtp.Transaction{Envelope: e, AllOrNothing: true}); r.Outcome != smtp.NotSent || r.Err.Class != smtp.ClassTooManyRecipients {
		t.Error(r.Err)
	}
}

// The command's environment is that of the process but for what may be secret.
func TestEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report")
	t.Setenv("KAIZEN_PASSWORD", "geheim")
	t.Setenv(deedVariable, "report "+file)
	m := sendmail.New(sendmail.Options{Path: self(t)})
	if r := handed(t, t.Context(), m, &smtp.Transaction{}); r.Err != nil {
		t.Fatal(r.Err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "geheim") || !strings.Contains(string(text), deedVariable) {
		t.Errorf("%v %s", err, text)
	}
	got, _ := received(t, sendmail.Options{Env: []string{"ONLY=this"}}, &smtp.Transaction{})
	if !slices.Contains(got.Env, "ONLY=this") || slices.ContainsFunc(got.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		t.Error(got.Env)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	name := func(o sendmail.Options) string { return sendmail.New(o).String() }
	if name(sendmail.Options{}) != "sendmail" || name(sendmail.Options{Path: "/usr/bin/msmtp"}) != "sendmail:/usr/bin/msmtp" {
		t.Error(name(sendmail.Options{}))
	}
	one, other := name(sendmail.Options{Path: "msmtp", Args: []string{"-a", "geheim"}}), name(sendmail.Options{Path: "msmtp", Args: []string{"-a", "other"}})
	again := name(sendmail.Options{Path: "msmtp", Args: []string{"-a", "geheim"}})
	if one == other || one != again || strings.Contains(one, "geheim") {
		t.Error(one, other)
	}
	m := sendmail.New(sendmail.Options{Path: "msmtp", Args: []string{"geheim"}})
	if s := fmt.Sprintf("%+v %#v %v %s", m, m, *m, m); strings.Contains(s, "geheim") {
		t.Error(s)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := sendmail.New(sendmail.Options{Path: self(t)}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir(), "no-such-sendmail-anywhere"} {
		m := sendmail.New(sendmail.Options{Path: path})
		err := m.Check(t.Context())
		if !errors.Is(err, smtp.ClassConnect) || !strings.Contains(err.Error(), "install") {
			t.Error(err)
		}
		r := handed(t, context.Background(), m, &smtp.Transaction{})
		if r.Outcome != smtp.NotSent || r.Err.Class != smtp.ClassConnect || !r.Err.Temporary() {
			t.Error(r.Err)
		}
	}
}
