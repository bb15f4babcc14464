package accounts

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// form is what the value of a key looks like in TOML.
type form uint8

const (
	formText form = iota
	formNumber
	formFlag
	formList
	formCommand // text or a list
)

// field is one key of an account: reading, writing and the command line all go
// through this table. Values are string, int, bool or []string, as form says.
type field struct {
	key  string
	form form
	set  func(e *Entry, value any) error
	get  func(e *Entry) any // nil: not given
}

// fields in the order in which they are written and documented.
var fields = []field{
	text("provider", func(e *Entry) *string { return &e.Provider }),
	text("address", func(e *Entry) *string { return &e.Address }),
	text("host", func(e *Entry) *string { return &e.Host }),
	number("port", 1, math.MaxUint16, func(e *Entry) *int { return &e.Port }),
	{"protocol", formText, setProtocol, getProtocol},
	{"tls", formText, setTLS, getTLS},
	{"servers", formList, setServers, func(e *Entry) any { return list(e.Servers) }},
	text("socket", func(e *Entry) *string { return &e.Socket }),
	{"proxy", formText, setProxy, func(e *Entry) any { return given(e.Proxy) }},
	ofProxy("proxy_password_env", formText, setSource(SecretEnv), getSource(SecretEnv)),
	ofProxy("proxy_password_file", formText, setSource(SecretFile), getSource(SecretFile)),
	ofProxy("proxy_password_command", formCommand, setCommand, getCommand),
	{"local_address", formText, setLocalAddress, func(e *Entry) any { return given(e.LocalAddress) }},
	text("username", func(e *Entry) *string { return &e.Username }),
	{"password_env", formText, setSource(SecretEnv), getSource(SecretEnv)},
	{"password_file", formText, setSource(SecretFile), getSource(SecretFile)},
	{"password_command", formCommand, setCommand, getCommand},
	{"oauth.flow", formText, setFlow, func(e *Entry) any { return given(string(e.OAuth.Flow)) }},
	text("oauth.provider", func(e *Entry) *string { return &e.OAuth.Provider }),
	text("oauth.client_id", func(e *Entry) *string { return &e.OAuth.ClientID }),
	text("oauth.tenant", func(e *Entry) *string { return &e.OAuth.Tenant }),
	{"oauth.scopes", formList, setScopes, func(e *Entry) any { return list(e.OAuth.Scopes) }},
	text("oauth.auth_url", func(e *Entry) *string { return &e.OAuth.AuthURL }),
	text("oauth.token_url", func(e *Entry) *string { return &e.OAuth.TokenURL }),
	text("oauth.device_url", func(e *Entry) *string { return &e.OAuth.DeviceURL }),
	text("oauth.revoke_url", func(e *Entry) *string { return &e.OAuth.RevokeURL }),
	{"oauth.client_auth", formText, setClientAuth, func(e *Entry) any { return given(string(e.OAuth.ClientAuth)) }},
	number("oauth.redirect_port", 1, math.MaxUint16, func(e *Entry) *int { return &e.OAuth.RedirectPort }),
	text("oauth.key_file", func(e *Entry) *string { return &e.OAuth.KeyFile }),
	{"sendmail", formCommand, setSendmail, func(e *Entry) any { return list(e.Sendmail) }},
	text("maildir", func(e *Entry) *string { return &e.Maildir }),
	text("eml", func(e *Entry) *string { return &e.EML }),
	{"auth", formList, setMechanisms, func(e *Entry) any { return list(e.Mechanisms) }},
	{"insecure_auth", formFlag, setInsecureAuth, getInsecureAuth},
	text("ca_file", func(e *Entry) *string { return &e.CAFile }),
	{"pinned_keys", formList, setPins, func(e *Entry) any { return list(e.PinnedKeys) }},
	text("client_certificate", func(e *Entry) *string { return &e.ClientCertificate }),
	text("client_key", func(e *Entry) *string { return &e.ClientKey }),
	{"tls_min", formText, setTLSMin, func(e *Entry) any { return given(e.TLSMin) }},
	text("local_name", func(e *Entry) *string { return &e.LocalName }),
	{"level", formText, setLevel, getLevel},
	number("connections", 1, math.MaxInt32, func(e *Entry) *int { return &e.Connections }),
	number("messages_per_connection", -1, math.MaxInt32, func(e *Entry) *int { return &e.MessagesPerConnection }),
	{"rates", formList, setRates, func(e *Entry) any { return list(e.Rates) }},
	{"retry", formList, setRetry, func(e *Entry) any { return list(e.Retry) }},
	duration("expire", func(e *Entry) *time.Duration { return &e.Expire }),
	number("min_idle", 1, math.MaxInt32, func(e *Entry) *int { return &e.MinIdle }),
	duration("idle_timeout", func(e *Entry) *time.Duration { return &e.IdleTimeout }),
	duration("max_lifetime", func(e *Entry) *time.Duration { return &e.MaxLifetime }),
	duration("timeouts.connect", func(e *Entry) *time.Duration { return &e.Timeouts.Connect }),
	duration("timeouts.greeting", func(e *Entry) *time.Duration { return &e.Timeouts.Greeting }),
	duration("timeouts.command", func(e *Entry) *time.Duration { return &e.Timeouts.Command }),
	duration("timeouts.data", func(e *Entry) *time.Duration { return &e.Timeouts.Data }),
	duration("timeouts.final", func(e *Entry) *time.Duration { return &e.Timeouts.Final }),
}

// Keys returns the keys that [Entry.Set] takes, in the order of the
// documentation.
func Keys() []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

func fieldOf(key string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// unset removes the value of a field.
func (f field) unset(e *Entry) {
	var nothing any
	switch f.form {
	case formText:
		nothing = ""
	case formNumber:
		nothing = 0
	case formFlag:
		nothing = false
	case formList, formCommand:
		nothing = []string(nil)
	}
	_ = f.set(e, nothing) // no field refuses its zero value
}

func text(key string, of func(*Entry) *string) field {
	return field{key, formText,
		func(e *Entry, v any) error { *of(e) = v.(string); return nil },
		func(e *Entry) any { return given(*of(e)) }}
}

// number takes zero too: not given.
func number(key string, least, most int, of func(*Entry) *int) field {
	set := func(e *Entry, v any) error {
		n := v.(int)
		if n != 0 && (n < least || n > most) {
			return fmt.Errorf("%d is not a number from %d to %d", n, least, most)
		}
		*of(e) = n
		return nil
	}
	return field{key, formNumber, set, func(e *Entry) any { return given(*of(e)) }}
}

// duration takes "none" for no limit.
func duration(key string, of func(*Entry) *time.Duration) field {
	set := func(e *Entry, v any) error {
		d, err := readDuration(v.(string))
		if err == nil {
			*of(e) = d
		}
		return err
	}
	return field{key, formText, set, func(e *Entry) any { return given(writeDuration(*of(e))) }}
}

func readDuration(s string) (time.Duration, error) {
	switch s {
	case "":
		return 0, nil
	case none:
		return -1, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration like 30s or 5m, or none for no limit", s)
	}
	return d, nil
}

const none = "none"

func writeDuration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 0:
		return none
	}
	s := d.String() // 5m0s
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var tlsNames = [...]string{smtp.TLSAuto: "auto", smtp.TLSImplicit: "implicit", smtp.TLSStartTLS: "starttls",
	smtp.TLSOpportunistic: "opportunistic", smtp.TLSNone: none}

func setTLS(e *Entry, v any) error {
	if v == "" {
		v = tlsNames[smtp.TLSAuto]
	}
	i := slices.Index(tlsNames[:], v.(string))
	if i < 0 {
		return fmt.Errorf("%q is none of %s", v, strings.Join(tlsNames[:], ", "))
	}
	e.TLS = smtp.TLSMode(i)
	return nil
}

func getTLS(e *Entry) any {
	if e.TLS == smtp.TLSAuto || int(e.TLS) >= len(tlsNames) {
		return nil
	}
	return tlsNames[e.TLS]
}

const (
	protocolSMTP = "smtp"
	protocolLMTP = "lmtp"
)

func setProtocol(e *Entry, v any) error {
	switch v {
	case "", protocolSMTP, protocolLMTP:
		e.LMTP = v == protocolLMTP
		return nil
	}
	return fmt.Errorf("%q is neither %s nor %s", v, protocolSMTP, protocolLMTP)
}

func getProtocol(e *Entry) any {
	if e.LMTP {
		return protocolLMTP
	}
	return nil
}

func setServers(e *Entry, v any) error {
	servers := v.([]string)
	for _, one := range servers {
		if _, err := kaizen.ParseServer(one); err != nil {
			return err
		}
	}
	e.Servers = servers
	return nil
}

func setLevel(e *Entry, v any) error {
	if v == "" {
		e.Level = smtp.LevelAuto
		return nil
	}
	return e.Level.UnmarshalText([]byte(v.(string)))
}

func getLevel(e *Entry) any {
	if e.Level == smtp.LevelAuto {
		return nil
	}
	return e.Level.String()
}

func setInsecureAuth(e *Entry, v any) error { e.InsecureAuth = v.(bool); return nil }

func getInsecureAuth(e *Entry) any { return given(e.InsecureAuth) }

func setMechanisms(e *Entry, v any) error {
	var mechanisms []string
	for _, m := range v.([]string) {
		m = strings.ToUpper(m)
		if m == "" || strings.ContainsFunc(m, func(r rune) bool { return !inMechanism(r) }) {
			return fmt.Errorf("%q is not a SASL mechanism like PLAIN", m)
		}
		mechanisms = append(mechanisms, m)
	}
	e.Mechanisms = mechanisms
	return nil
}

// inMechanism is RFC 4422 §3.1.
func inMechanism(r rune) bool {
	return 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

func setRates(e *Entry, v any) error {
	rates := v.([]string)
	if len(rates) > 1 && slices.Contains(rates, none) {
		return errors.New(`"none" must be the only rate`)
	}
	for _, one := range rates {
		if _, err := kaizen.ParseRates(one); err != nil {
			return err
		}
	}
	e.Rates = rates
	return nil
}

func setRetry(e *Entry, v any) error {
	pauses := v.([]string)
	if _, err := backoff(pauses); err != nil {
		return err
	}
	e.Retry = pauses
	return nil
}

// backoff are the pauses between tries; nil if there are none.
func backoff(pauses []string) (steps []time.Duration, err error) {
	for _, pause := range pauses {
		d, err := time.ParseDuration(pause)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("%q is not a pause like 30s or 5m", pause)
		}
		steps = append(steps, d)
	}
	if len(steps) > queue.MaxBackoff {
		return nil, fmt.Errorf("%d pauses are too many: at most %d", len(steps), queue.MaxBackoff)
	}
	return steps, nil
}

func setSource(kind SecretKind) func(*Entry, any) error {
	return func(e *Entry, v any) error {
		name := v.(string)
		switch {
		case name != "":
			e.Secret = SecretSource{Kind: kind, Name: name}
		case e.Secret.Kind == kind:
			e.Secret = SecretSource{}
		}
		return nil
	}
}

func getSource(kind SecretKind) func(*Entry) any {
	return func(e *Entry) any {
		if e.Secret.Kind != kind {
			return nil
		}
		return given(e.Secret.Name)
	}
}

// setCommand takes a line for the shell or a list.
func setCommand(e *Entry, v any) error {
	command, isList := v.([]string)
	if !isList {
		command = []string{v.(string)}
	}
	switch {
	case len(command) > 0 && command[0] != "":
		e.Secret = SecretSource{Kind: SecretCommand, Command: command, Shell: !isList}
	case len(command) > 0 && isList:
		return errors.New("the first element must be a program")
	case e.Secret.Kind == SecretCommand:
		e.Secret = SecretSource{}
	}
	return nil
}

func getCommand(e *Entry) any {
	switch {
	case e.Secret.Kind != SecretCommand || len(e.Secret.Command) == 0:
		return nil
	case e.Secret.Shell:
		return e.Secret.Command[0]
	}
	return e.Secret.Command
}

// given is nil for what is zero.
func given[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}

func list(v []string) any {
	if len(v) == 0 {
		return nil
	}
	return v
}

// shownValue writes a value as Entry.Set reads it.
func shownValue(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ", ")
	case int:
		return strconv.Itoa(v)
	}
	return fmt.Sprint(v)
}
