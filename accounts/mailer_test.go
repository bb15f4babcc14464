package accounts_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

// What stands in place of a server, from files.
func TestMailersFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, err := os.UserHomeDir()
	must(t, err)
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.command]
sendmail = ["/usr/bin/msmtp", "-a", "two words"]
address = "ann@example.com"
rates = ["2/1s"]
connections = 3
retry = ["1m"]
[accounts.line]
sendmail = "/usr/sbin/sendmail -v"
[accounts.standard]
sendmail = "sendmail"
[accounts.box]
maildir = "box"
[accounts.kept]
eml = "~/kept"
`)
	s := open(t, dir)
	for name, want := range map[string]kaizen.Mailer{
		"command":  sendmail.New(sendmail.Options{Path: "/usr/bin/msmtp", Args: []string{"-a", "two words"}}),
		"line":     sendmail.New(sendmail.Options{Path: "/usr/sbin/sendmail", Args: []string{"-v"}}),
		"standard": sendmail.New(sendmail.Options{}),
		"box":      maildrop.New(filepath.Join(dir, "box"), maildrop.Options{}),
		"kept":     maildrop.New(filepath.Join(home, "kept"), maildrop.Options{Format: maildrop.EML}),
	} {
		a := resolve(t, s, name)
		if a.Name != name || a.Host != "" || a.Mailer == nil || a.Mailer.String() != want.String() {
			t.Errorf("%s: %v, want %v", name, a.Mailer, want)
		}
		if again := resolve(t, s, name); again.Mailer != a.Mailer {
			t.Errorf("%s: another mailer for each message", name)
		}
	}
	a := resolve(t, s, "command")
	if a.Limits.Connections != 3 || !slices.Equal(a.Limits.Rates, []kaizen.Rate{{Count: 2, Per: time.Second}}) || len(a.Retry.Backoff) != 1 {
		t.Errorf("%+v", a.Limits)
	}
	e, err := s.Entry("line")
	must(t, err)
	keys := map[string]string{}
	for _, setting := range e.Settings() {
		keys[setting.Key] = setting.Value
	}
	if keys["sendmail"] != "/usr/sbin/sendmail, -v" || keys["connections"] != "5" || keys["host"]+keys["port"]+keys["tls"]+keys["password"] != "" {
		t.Error(keys)
	}
}

// What belongs to a server does not go with what has none.
func TestMailersStandAlone(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`maildir = "x"` + "\n" + `host = "mx.example.com"`:  "a.host: does not go with maildir",
		`eml = "x"` + "\n" + `provider = "gmail"`:           "a.provider: does not go with eml",
		`eml = "x"` + "\n" + `username = "ann"`:             "a.username: does not go with eml",
		`sendmail = "x"` + "\n" + `password_env = "X"`:      "a.password_env: does not go with sendmail",
		`sendmail = "x"` + "\n" + `timeouts.connect = "1s"`: "a.timeouts.connect: does not go with sendmail",
		`sendmail = "x"` + "\n" + `maildir = "y"`:           "a.maildir: does not go with sendmail",
		`maildir = "x"` + "\n" + `eml = "y"`:                "a.eml: does not go with maildir",
		`sendmail = [""]`:                                   "the first element must be a program",
		`sendmail = []`:                                     "leave the key out",
		`sendmail = 7`:                                      "must be text in quotes or a list",
		`maildir = ["x"]`:                                   "must be text in quotes",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "kaizen.toml"), "[accounts.a]\n"+content+"\n")
		_, err := open(t, dir).Account(t.Context(), "a")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestSetMailer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, t.TempDir())
	for name, m := range map[string]kaizen.Mailer{
		"standard": sendmail.New(sendmail.Options{}),
		"command":  sendmail.New(sendmail.Options{Path: "/usr/bin/msmtp", Args: []string{"-a", "work"}}),
		"box":      maildrop.New(dir, maildrop.Options{}),
		"kept":     maildrop.New(dir, maildrop.Options{Format: maildrop.EML}),
	} {
		e := accounts.Entry{Name: name}
		must(t, e.SetMailer(m))
		must(t, s.Put(t.Context(), e))
		if a := resolve(t, s, name); a.Mailer.String() != m.String() {
			t.Errorf("%s: %v, want %v", name, a.Mailer, m)
		}
	}
	for name, m := range map[string]kaizen.Mailer{
		"wishes":      sendmail.New(sendmail.Options{DSN: true}),
		"patience":    sendmail.New(sendmail.Options{Timeout: time.Second}),
		"environment": sendmail.New(sendmail.Options{Env: []string{"A=b"}}),
		"bare":        maildrop.New(dir, maildrop.Options{Bare: true}),
		"of its own":  ownMailer{},
	} {
		e := accounts.Entry{Name: "a"}
		if err := e.SetMailer(m); err == nil || len(e.Sendmail)+len(e.Maildir)+len(e.EML) > 0 {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
}

type ownMailer struct{}

func (ownMailer) String() string { return "own" }
func (ownMailer) Mail(context.Context, *smtp.Submission) (kaizen.Reply, error) {
	return kaizen.Reply{}, nil
}

func TestSetSendmail(t *testing.T) {
	t.Parallel()
	var e accounts.Entry
	must(t, e.Set("sendmail", "msmtp -a work"))
	if !slices.Equal(e.Sendmail, []string{"msmtp", "-a", "work"}) {
		t.Error(e.Sendmail)
	}
	must(t, e.Set("sendmail", ""))
	must(t, e.Set("eml", "x"))
	must(t, e.Set("eml", ""))
	if e.Sendmail != nil || e.EML != "" {
		t.Errorf("%+v", e)
	}
}
