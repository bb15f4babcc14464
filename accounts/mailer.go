package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/sendmail"
)

// besideMailer are the keys that mean something without a server.
var besideMailer = []string{"sendmail", "maildir", "eml", "address", "connections", "messages_per_connection", "rates", "retry", "expire",
	"min_idle", "idle_timeout", "max_lifetime"}

// mailerKey is the key that names a mailer in place of a server; "" if none does.
func (e *Entry) mailerKey() string {
	switch {
	case len(e.Sendmail) > 0:
		return "sendmail"
	case e.Maildir != "":
		return "maildir"
	case e.EML != "":
		return "eml"
	}
	return ""
}

// mailerAccount is the account of an entry without a server.
func (e *Entry) mailerAccount() (kaizen.Account, error) {
	key := e.mailerKey()
	for _, f := range fields {
		if f.get(e) == nil {
			continue
		}
		if !slices.Contains(besideMailer, f.key) {
			return kaizen.Account{}, e.wrong(f.key, fmt.Errorf("does not go with %s, which needs no server and no login: leave one of them out", key))
		}
		if other := f.key; other != key && slices.Contains(besideMailer[:3], other) {
			return kaizen.Account{}, e.wrong(other, fmt.Errorf("does not go with %s: leave one of them out", key))
		}
	}
	limits, err := e.limits()
	if err != nil {
		return kaizen.Account{}, err
	}
	steps, err := backoff(e.Retry)
	if err != nil {
		return kaizen.Account{}, err
	}
	return kaizen.Account{Name: e.Name, Mailer: e.mailer(), Limits: limits, Retry: kaizen.Retry{Backoff: steps, Expire: e.Expire},
		IdleTimeout: e.IdleTimeout, MaxLifetime: max(0, e.MaxLifetime), MinIdle: e.MinIdle}, nil
}

func (e *Entry) mailer() kaizen.Mailer {
	switch e.mailerKey() {
	case "maildir":
		return maildrop.New(inDir(e.dir, e.Maildir), maildrop.Options{})
	case "eml":
		return maildrop.New(inDir(e.dir, e.EML), maildrop.Options{Format: maildrop.EML})
	}
	path := homed(e.Sendmail[0])
	if path == "sendmail" { // wherever it is
		path = ""
	}
	return sendmail.New(sendmail.Options{Path: path, Args: e.Sendmail[1:]})
}

// SetMailer makes the entry one that hands messages to this mailer, which is of
// package sendmail or maildrop. Options that the keys of accounts files cannot say
// are an error.
func (e *Entry) SetMailer(m kaizen.Mailer) error {
	same := *e
	same.dir = ""
	switch m := m.(type) {
	case *sendmail.Mailer:
		o := m.Options()
		if o.Path == "" {
			o.Path = "sendmail"
		}
		same.Sendmail, same.Maildir, same.EML = append([]string{o.Path}, o.Args...), "", ""
	case *maildrop.Mailer:
		same.Sendmail, same.Maildir, same.EML = nil, m.Dir(), ""
		if m.Options().Format == maildrop.EML {
			same.Maildir, same.EML = "", m.Dir()
		}
	default:
		return fmt.Errorf("%v cannot be kept in a file: it is neither a sendmail command nor a folder", m)
	}
	if !sameOptions(same.mailer(), m) {
		return errors.New("only the command with its arguments, or the folder, can be kept in a file: leave the other parameters out")
	}
	e.Sendmail, e.Maildir, e.EML = same.Sendmail, same.Maildir, same.EML
	return nil
}

// sameOptions: what is made of the keys is what was given.
func sameOptions(made, given kaizen.Mailer) bool {
	switch made := made.(type) {
	case *sendmail.Mailer:
		a, b := made.Options(), given.(*sendmail.Mailer).Options()
		return a.DSN == b.DSN && a.Timeout == b.Timeout && b.Env == nil
	case *maildrop.Mailer:
		return made.Options() == given.(*maildrop.Mailer).Options()
	}
	return false
}

// setSendmail takes a list, or text that is divided at spaces.
func setSendmail(e *Entry, v any) error {
	command, isList := v.([]string)
	if !isList {
		command = strings.Fields(v.(string))
	}
	if len(command) > 0 && command[0] == "" {
		return errors.New("the first element must be a program")
	}
	e.Sendmail = command
	return nil
}
