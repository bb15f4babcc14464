package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// plus marks the SCRAM variants that bind the login to the TLS channel.
const plus = "-PLUS"

// maxIterations bounds the work that a server may ask for (about two seconds):
// it is done before the server has proved anything.
const maxIterations = 5_000_000

func isScram(name string) bool { return scramHash(name) != nil }

func scramHash(name string) scram.HashGeneratorFcn {
	switch strings.TrimSuffix(name, plus) {
	case "SCRAM-SHA-1":
		return scram.SHA1
	case "SCRAM-SHA-256":
		return scram.SHA256
	case "SCRAM-SHA-512":
		return scram.SHA512
	}
	return nil
}

func (a *Auth) scram(name string, state *tls.ConnectionState) (Mechanism, error) {
	client, err := a.scramClient(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !strings.HasSuffix(name, plus) {
		return &scramMechanism{name: name, talk: client.NewConversation()}, nil
	}
	binding, err := channelBinding(state)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &scramMechanism{name: name, talk: client.NewConversationWithChannelBinding(binding)}, nil
}

// scramClient prepares the names and the password (RFC 4013). A password with
// characters that are newer than that standard goes as it is: servers that took
// it when it was set did the same.
func (a *Auth) scramClient(name string) (*scram.Client, error) {
	hash := scramHash(name)
	client, err := hash.NewClient(a.Username, a.Password, a.Identity)
	if err == nil {
		return client, nil
	}
	return hash.NewClientUnprepped(a.Username, a.Password, a.Identity)
}

// channelBinding is what ties a login to this TLS channel: the exporter on TLS
// 1.3 (RFC 9266), before that the first Finished message, or, after a resumption
// that lacks it, the server's certificate (RFC 5929).
func channelBinding(state *tls.ConnectionState) (scram.ChannelBinding, error) {
	switch {
	case state == nil:
		return scram.ChannelBinding{}, errors.New("channel binding needs TLS")
	case !state.HandshakeComplete:
		return scram.ChannelBinding{}, errors.New("channel binding needs a complete TLS handshake")
	case state.Version >= tls.VersionTLS13:
		return scram.NewTLSExporterBinding(state)
	case len(state.TLSUnique) > 0:
		return scram.NewTLSUniqueBinding(state.TLSUnique), nil
	}
	return scram.NewTLSServerEndpointBinding(state)
}

// scramMechanism is SCRAM (RFC 5802, RFC 7677). SMTP carries no data with its
// 235, so the server's proof is a challenge, answered with nothing.
type scramMechanism struct {
	name    string
	talk    *scram.ClientConversation
	steps   int
	refused error
}

func (m *scramMechanism) Start() (string, []byte, error) {
	first, err := m.talk.Step("")
	return m.name, []byte(first), err
}

func (m *scramMechanism) Next(challenge []byte) ([]byte, error) {
	m.steps++
	said := string(challenge)
	switch {
	case m.steps > 2 || m.refused != nil:
		return nil, errExtraChallenge
	case strings.HasPrefix(said, "e="):
		m.refused = fmt.Errorf("%s: the server says %s", m.name, strconv.Quote(said[2:min(len(said), 200)]))
		return []byte{}, nil // the 535 is still to come
	case m.steps == 1 && iterations(said) > maxIterations:
		return nil, fmt.Errorf("%s: the server asks for more than %d iterations", m.name, maxIterations)
	}
	response, err := m.talk.Step(said)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	return []byte(response), nil
}

func (m *scramMechanism) refusal() error { return m.refused }

// Verified reports whether the server proved that it knows the password.
func (m *scramMechanism) Verified() error {
	if m.talk.Valid() {
		return nil
	}
	return fmt.Errorf("%s: the server accepted the login without proving that it knows the password; it may be an impostor", m.name)
}

// iterations reads i= from the server's first message; 0 if there is none.
func iterations(said string) int {
	for field := range strings.SplitSeq(said, ",") {
		if digits, ok := strings.CutPrefix(field, "i="); ok {
			n, err := strconv.Atoi(digits)
			if errors.Is(err, strconv.ErrRange) {
				return maxIterations + 1
			}
			return n
		}
	}
	return 0
}
