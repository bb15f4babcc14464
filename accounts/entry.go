package accounts

import (
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// Entry is an account as it stands in a file. It holds no secret, but says where
// the secret comes from. What is zero was not given: it is taken from the preset
// of Provider, or is [kaizen.Account]'s default.
type Entry struct {
	Name     string
	Provider string // a preset, as LookupPreset finds it
	Address  string // the mail address: the default sender

	Host         string // required without a Provider
	Port         int
	TLS          smtp.TLSMode
	Username     string // default: as the preset says; without one, Address if a secret's source is given, else no login
	LocalName    string
	InsecureAuth bool
	Level        smtp.Level
	CAFile       string   // PEM; replaces the system's roots. Relative to the configuration directory
	Mechanisms   []string // SASL mechanisms, best first, and no others

	Connections           int
	MessagesPerConnection int      // negative: no limit
	Rates                 []string // each as kaizen.ParseRates reads it; ["none"] for no limit

	IdleTimeout time.Duration // negative: no limit
	MaxLifetime time.Duration // negative: no limit
	MinIdle     int
	Timeouts    smtp.Timeouts

	Secret SecretSource

	Source string // the file it stands in, as an absolute path
	Line   int    // where it begins there, from 1
}

// Account returns the account without its secret, with the preset applied.
// Errors: [*FileError] for what cannot be, as an unknown provider.
func (e Entry) Account() (kaizen.Account, error) { return kaizen.Account{}, errPending }

// Set changes one setting by its key in the files, as "port" or
// "timeouts.connect", from its text. An empty value removes it. Lists (rates,
// auth) are separated by commas; password_command is a line for the shell. The
// secret's source (password_env, password_file, password_command) replaces
// another one. Errors are [*FileError] without file and line.
func (e *Entry) Set(key, value string) error { return errPending }

// Keys returns the keys that [Entry.Set] takes, in the order of the
// documentation.
func Keys() []string { return nil }

// Setting is a value that an account has, and where it comes from.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"` // the file, "preset NAME" or "default"
}

// Settings returns everything that takes effect, in the order of [Keys].
func (e Entry) Settings() []Setting { return nil }

// CheckName reports whether a name can be an account's: 1 to 64 letters (ASCII),
// digits and - _ . @ +, not beginning with a dot. Names that differ in case only
// are the same name to [Store.Put], as they are to some file systems.
func CheckName(name string) error { return errPending }

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
// /run/secrets/mail", "command pass".
func (s SecretSource) String() string { return "" }
