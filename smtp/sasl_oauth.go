package smtp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// oauthMechanism is XOAUTH2 or OAUTHBEARER (RFC 7628): the token goes first, and
// a refusal comes as a challenge in JSON, which needs an answer of no meaning
// before the server gives its 535.
type oauthMechanism struct {
	name, initial, token string
	acknowledge          []byte
	refused              error
}

// longestToken leaves room for names in the 12,288 octets of base64 that a response may
// have; servers break off, or wait for ever, where it has more.
const longestToken = 9000

// oauth asks for the token and makes the mechanism.
func (a *Auth) oauth(ctx context.Context, name string, info ServerInfo) (Mechanism, error) {
	if a.Token == nil {
		return nil, fmt.Errorf("%s needs Auth.Token", name)
	}
	token, err := a.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("no access token to be had: %w", err)
	}
	if token == "" {
		return nil, errors.New("the access token is empty")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("the access token contains a blank, a line end or another octet that is no part of a token")
	}
	if len(token) > longestToken {
		return nil, fmt.Errorf("the access token has %d octets, and no more than %d fit into a login (RFC 4954 §4): have the provider put less into it, as the names of groups", len(token), longestToken)
	}
	if strings.ContainsRune(a.Username+a.Identity, 1) {
		return nil, errors.New("the user name contains a control character")
	}
	if name == "XOAUTH2" {
		initial := "user=" + a.Username + "\x01auth=Bearer " + token + "\x01\x01"
		return &oauthMechanism{name: name, initial: initial, token: token, acknowledge: []byte{}}, nil
	}
	initial := a.bearerHeader() + bearerServer(info) + "\x01auth=Bearer " + token + "\x01\x01"
	return &oauthMechanism{name: name, initial: initial, token: token, acknowledge: []byte{1}}, nil
}

// bearerHeader is the GS2 header (RFC 5801 §4).
func (a *Auth) bearerHeader() string {
	identity := a.Identity
	if identity == "" {
		identity = a.Username
	}
	if identity == "" {
		return "n,,"
	}
	return "n,a=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(identity) + ","
}

func bearerServer(info ServerInfo) string {
	var s string
	if info.Host != "" {
		s += "\x01host=" + info.Host
	}
	if info.Port != 0 {
		s += "\x01port=" + strconv.Itoa(info.Port)
	}
	return s
}

func (m *oauthMechanism) Start() (string, []byte, error) { return m.name, []byte(m.initial), nil }

func (m *oauthMechanism) Next(challenge []byte) ([]byte, error) {
	if m.refused != nil {
		return nil, errors.Join(m.refused, errExtraChallenge)
	}
	m.refused = fmt.Errorf("%s: %s", m.name, m.explain(challenge))
	return m.acknowledge, nil
}

// secret must not be shown where the server repeats it.

func (m *oauthMechanism) refusal() error { return m.refused }

// Verified: a server that named an error and then says 235 is not believed.
func (m *oauthMechanism) Verified() error { return m.refused }

// explain puts the server's error into words (RFC 7628 §3.2.2).
func (m *oauthMechanism) explain(challenge []byte) string {
	var said struct{ Status, Scope string }
	if err := json.Unmarshal(challenge, &said); err != nil || said.Status == "" {
		return "the access token was refused without a reason"
	}
	text := "the access token was refused, status " + m.quote(said.Status)
	if said.Scope != "" {
		text += ", it needs the scope " + m.quote(said.Scope)
	}
	return text
}

func (m *oauthMechanism) quote(said string) string {
	said = scrubText(said, m.secrets())
	return strconv.Quote(said[:min(len(said), 200)])
}
