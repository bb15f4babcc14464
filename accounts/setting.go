package accounts

import (
	"strconv"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// Setting is a value that an account has, and where it comes from.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"` // the file, "preset NAME" or "default"
}

// Settings returns everything that takes effect, in the order of [Keys]: what was
// given, then what the preset adds, then defaults that a person may want to know.
// Of an entry with an error it is what was given. The secret's source is there
// as "password" if it is secrets.age and needed.
func (e Entry) Settings() []Setting {
	given := e.Source
	if given == "" {
		given = "given"
	}
	implied := e.implied()
	var all []Setting
	for _, f := range fields {
		if v := f.get(&e); v != nil {
			all = append(all, Setting{f.key, shownValue(v), given})
		} else if s, ok := implied[f.key]; ok {
			all = append(all, Setting{f.key, s.Value, s.From})
		}
		if f.key == "username" && e.Secret.Kind == SecretStored && e.needsSecret() {
			all = append(all, Setting{"password", secretsName, fromDefault})
		}
	}
	return all
}

const fromDefault = "default"

// implied are the values that were not given, by key.
func (e *Entry) implied() map[string]Setting {
	a, err := e.withoutTrust()
	if err != nil {
		return nil
	}
	from := map[string]string{}
	values := map[string]string{}
	found, _ := e.preset()
	add := func(key, value, preset, standard string) {
		switch {
		case value != "" && value == preset && found != nil:
			values[key], from[key] = value, "preset "+e.Provider
		case value != "":
			values[key], from[key] = value, fromDefault
		case standard != "":
			values[key], from[key] = standard, fromDefault
		}
	}
	p := new(Preset)
	if found != nil {
		p = found
	}
	limits := p.Limits.Limits()
	if a.Mailer == nil {
		server := smtp.Config{Host: a.Host, Port: a.Port, LMTP: a.LMTP, TLS: a.TLS}
		_, port, _ := cutPort(server.Address())
		if a.Socket != "" {
			port = ""
		}
		add("host", a.Host, p.Host, "")
		add("port", port, number0(p.Port), "")
		add("tls", effectiveTLS(&a, port), tlsName(p.TLS), "")
		add("tls_min", "", "", "1.2")
	}
	add("username", a.Username, p.UsernameFor(e.Address), "")
	add("connections", number0(a.Limits.Connections), number0(limits.Connections), "5")
	add("messages_per_connection", number0(a.Limits.MessagesPerConnection), number0(limits.MessagesPerConnection), "100")
	add("rates", showRates(a.Limits.Rates), showRates(limits.Rates), "10/1s")
	add("idle_timeout", "", "", "5m")
	if e.UsesOAuth() {
		c, _ := e.OAuthConfig().Complete()
		add("oauth.flow", string(c.Flow), "", "")
		add("oauth.provider", c.Provider, p.OAuthProvider, "")
		add("oauth.scopes", strings.Join(c.Scopes, ", "), "", "")
	}
	implied := map[string]Setting{}
	for key, value := range values {
		implied[key] = Setting{key, value, from[key]}
	}
	return implied
}

func effectiveTLS(a *kaizen.Account, port string) string {
	switch {
	case a.TLS != smtp.TLSAuto:
		return tlsName(a.TLS)
	case port == "": // a socket
		return none
	case a.LMTP: // where to it goes decides what auto is
		return tlsName(a.TLS)
	case port == "465":
		return tlsName(smtp.TLSImplicit)
	}
	return tlsName(smtp.TLSStartTLS)
}

func tlsName(mode smtp.TLSMode) string { return tlsNames[mode] }

func number0(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func cutPort(address string) (host, port string, found bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address, "", false
	}
	return address[:i], address[i+1:], true
}

func showRates(rates []kaizen.Rate) string {
	all := make([]string, len(rates))
	for i, r := range rates {
		all[i] = r.String()
	}
	return strings.Join(all, ", ")
}
