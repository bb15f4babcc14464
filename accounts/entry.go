package accounts

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
)

// Entry is an account as it stands in a file. It holds no secret, but says where
// the secret comes from. What is zero was not given: it is taken from the preset
// of Provider, or is [kaizen.Account]'s default.
type Entry struct {
	Name     string
	Provider string // a preset, as LookupPreset finds it
	Address  string // the mail address: the default sender

	// In place of a server: a sendmail command with its arguments ("sendmail" alone
	// is looked for), or a folder for messages, as a Maildir or as .eml files.
	Sendmail     []string
	Maildir, EML string

	Host         string // required without a Provider and the like
	Port         int
	LMTP         bool // key "protocol": lmtp; default smtp
	TLS          smtp.TLSMode
	Servers      []string // further servers, each as kaizen.ParseServer reads it
	Username     string   // default: as the preset says; without one, Address if a secret's source is given, else no login
	LocalName    string
	InsecureAuth bool
	Level        smtp.Level
	CAFile       string   // PEM; replaces the system's roots. Relative to the configuration directory
	Mechanisms   []string // SASL mechanisms, best first, and no others

	Socket       string       // path of a UNIX socket instead of Host and Port; "@name" is an abstract one
	Proxy        string       // URL of a SOCKS 5 or HTTP proxy without its password, or "environment"
	ProxySecret  SecretSource // of the proxy's password; the zero value: it has none
	LocalAddress string       // IP address to connect from

	PinnedKeys        []string // as smtp.KeyPin writes them
	ClientCertificate string   // PEM, with the chain above it. Relative to the configuration directory
	ClientKey         string   // PEM, not encrypted, and nobody else's to read; default: in ClientCertificate
	TLSMin            string   // "1.0" to "1.3"; default 1.2

	Connections           int
	MessagesPerConnection int      // negative: no limit
	Rates                 []string // each as kaizen.ParseRates reads it; ["none"] for no limit

	Retry  []string      // pauses between the tries of a queued message, as time.ParseDuration reads them
	Expire time.Duration // how long a queued message is tried; negative: no limit

	IdleTimeout time.Duration // negative: no limit
	MaxLifetime time.Duration // negative: no limit
	MinIdle     int
	Timeouts    smtp.Timeouts

	// Secret is where the password is; with OAuth the client's secret, or the key of
	// a service account.
	Secret SecretSource
	OAuth  OAuth // how access tokens are got; zero: the account has a password

	Source string // the file it stands in, as an absolute path
	Line   int    // where it begins there, from 1

	dir string // what relative paths are relative to
}

// Set changes one setting by its key in the files, as "port" or
// "timeouts.connect", from its text. An empty value removes it. Lists (rates,
// auth, oauth.scopes) are separated by commas; password_command is a line for the shell. The
// secret's source (password_env, password_file, password_command) replaces
// another one. Errors are [*FileError] without file and line.
func (e *Entry) Set(key, value string) error {
	f, ok := fieldOf(key)
	switch {
	case key == "password" || key == "secret" || key == "oauth.client_secret":
		return &FileError{Key: key, Err: errPlainPassword}
	case !ok:
		wrong := &FileError{Key: key, Err: errors.New("unknown key")}
		if found := similar(key, Keys()); len(found) > 0 {
			wrong.Suggestion = found[0]
		}
		return wrong
	case strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value):
		return &FileError{Key: key, Err: errControl}
	case value == "":
		f.unset(e)
		return nil
	}
	v, err := f.fromText(value)
	if err == nil {
		err = f.set(e, v)
	}
	if err != nil {
		return &FileError{Key: key, Err: err}
	}
	return nil
}

// check holds an entry that a program filled in to what a file may have.
func (e *Entry) check() error {
	if err := CheckName(e.Name); err != nil {
		return &FileError{Key: "name", Err: err}
	}
	again := Entry{Name: e.Name}
	for _, f := range fields {
		v := f.get(e)
		if v == nil {
			continue
		}
		if hasControl(v) {
			return &FileError{Key: f.key, Err: errControl}
		}
		if err := f.set(&again, v); err != nil {
			return &FileError{Key: f.key, Err: err}
		}
	}
	_, err := e.withoutTrust()
	return err
}

func hasControl(v any) bool {
	words, ok := v.([]string)
	if s, is := v.(string); is {
		words, ok = []string{s}, true
	}
	for _, w := range words {
		if strings.ContainsFunc(w, unicode.IsControl) || !utf8.ValidString(w) {
			return true
		}
	}
	return ok && len(words) == 0
}

// MarshalJSON writes the keys that were given, as they stand in files, with
// name, source and line.
func (e Entry) MarshalJSON() ([]byte, error) {
	t := e.table()
	t["name"] = e.Name
	if e.Source != "" {
		t["source"], t["line"] = e.Source, e.Line
	}
	return json.Marshal(t)
}

// SecretKind is where a secret comes from.
type SecretKind uint8

// The kinds.
const (
	SecretStored  SecretKind = iota // secrets.age
	SecretEnv                       // an environment variable
	SecretFile                      // a file
	SecretCommand                   // the first line that a command prints
)

// SecretSource says where the secret of an account comes from. It is not the
// secret. The zero value is secrets.age.
type SecretSource struct {
	Kind SecretKind
	// Name of the variable or file. A file is relative to the configuration
	// directory; its content is taken without the last line end.
	Name string
	// Command is a program and its arguments, or one element with Shell.
	Command []string
	// Shell has the command run by /bin/sh -c (on Windows cmd /c).
	Shell bool
}

// String says it in words: "secrets.age", "variable MAIL_PASSWORD", "file
// /run/secrets/mail", "command pass". Arguments of a command are left out: they
// may tell more than is good.
func (s SecretSource) String() string {
	switch {
	case s.Kind == SecretEnv:
		return "variable " + s.Name
	case s.Kind == SecretFile:
		return "file " + s.Name
	case s.Kind == SecretCommand && s.Shell:
		return "a shell command"
	case s.Kind == SecretCommand && len(s.Command) > 0:
		return "command " + s.Command[0]
	}
	return secretsName
}
