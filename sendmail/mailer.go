package sendmail

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Options say which command is run, and how. The zero value is usable where there
// is a sendmail.
type Options struct {
	// Path is the command, looked up in PATH if it is a name alone. Default: the
	// first of /usr/sbin/sendmail, /usr/lib/sendmail and sendmail in PATH; on
	// Windows there is none.
	Path string
	// Args stand before those that are always given ("-i", unless it is among them,
	// "-f", the sender, "--", the recipients).
	Args []string
	// DSN passes on what the envelope wants of delivery status notifications, as -N,
	// -R and -V, as Postfix and Sendmail know them. Exim understands something else
	// by these options, which loses mail. By default, and for what these options
	// cannot say, such wishes are dropped, as SMTP does with a server without DSN.
	DSN bool
	// Timeout is how long the command may take nothing of the message, and how long
	// it may take to end when it has got all. Then it is killed. Default 10 min,
	// negative: no limit.
	Timeout time.Duration
	// Env is the environment, as in [exec.Cmd]. Default: that of this process without
	// the variables that begin with KAIZEN_.
	Env []string
}

// Mailer runs a sendmail command. It implements kaizen.Mailer, and is safe for
// concurrent use: each message has a command of its own.
type Mailer struct {
	options Options
	name    string
}

const defaultTimeout = 10 * time.Minute

// New returns a mailer. Whether the command exists is seen when it is used; see
// [Mailer.Check].
func New(o Options) *Mailer {
	o.Args, o.Env = slices.Clone(o.Args), slices.Clone(o.Env)
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	m := &Mailer{options: o, name: "sendmail"}
	if o.Path != "" {
		m.name += ":" + o.Path
	}
	if len(o.Args) > 0 || o.DSN || o.Env != nil {
		// Arguments may tell more than is good.
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %t %q", o.Args, o.DSN, o.Env))
		m.name += fmt.Sprintf("#%x", sum[:4])
	}
	return m
}

// String is "sendmail:" and the path, or "sendmail" without one. Arguments and
// environment are not shown: a part of a checksum stands for them.
func (m *Mailer) String() string { return m.name }

// Options are those of the mailer, with defaults filled in.
func (m *Mailer) Options() Options {
	o := m.options
	o.Args, o.Env = slices.Clone(o.Args), slices.Clone(o.Env)
	return o
}

// Format shows the mailer as String does, whatever the verb: arguments are not
// shown.
func (m Mailer) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.name) }

// Check reports whether there is a command that may be run.
func (m *Mailer) Check(context.Context) error {
	_, err := m.find()
	return err
}

// find returns the command.
func (m *Mailer) find() (path string, err error) {
	if m.options.Path == "" {
		path, err = findDefault()
	} else {
		path, err = exec.LookPath(m.options.Path)
	}
	if errors.Is(err, exec.ErrDot) { // found in the current directory, which is not meant
		err = exec.ErrNotFound
	}
	if err != nil {
		return "", &smtp.Error{Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: fmt.Errorf("find the sendmail command: %w", err),
			Hint: "install a mail server or msmtp, or give the command's path"}
	}
	return filepath.Abs(path)
}

func findDefault() (string, error) {
	for _, path := range defaultPaths {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return exec.LookPath("sendmail")
}

// environment is what the command may know.
func (m *Mailer) environment() []string {
	if m.options.Env != nil {
		return m.options.Env
	}
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KAIZEN_") })
}
