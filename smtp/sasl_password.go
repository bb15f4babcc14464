package smtp

import (
	"crypto/hmac"
	"crypto/md5" // CRAM-MD5 is defined on it
	"encoding/hex"
	"errors"
)

var errExtraChallenge = errors.New("the server asks for more than the login mechanism has to say")

// oneShot says all it has to say at once: PLAIN (RFC 4616), EXTERNAL (RFC 4422).
type oneShot struct {
	name    string
	initial []byte
	again   bool
}

func (m *oneShot) Start() (string, []byte, error) { return m.name, m.initial, nil }

// Next repeats the response once for a server that overlooked it in the command
// and asks for it with an empty challenge.
func (m *oneShot) Next(challenge []byte) ([]byte, error) {
	if m.again || len(challenge) > 0 {
		return nil, errExtraChallenge
	}
	m.again = true
	return m.initial, nil
}

// loginMechanism is LOGIN. The prompts differ between servers and languages,
// their order does not, so nobody reads them.
type loginMechanism struct{ answers []string }

func (m *loginMechanism) Start() (string, []byte, error) { return "LOGIN", nil, nil }

func (m *loginMechanism) Next([]byte) ([]byte, error) {
	if len(m.answers) == 0 {
		return nil, errExtraChallenge
	}
	answer := []byte(m.answers[0])
	m.answers = m.answers[1:]
	return answer, nil
}

// cramMechanism is CRAM-MD5 (RFC 2195).
type cramMechanism struct {
	username, password string
	answered           bool
}

func (m *cramMechanism) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (m *cramMechanism) Next(challenge []byte) ([]byte, error) {
	if m.answered {
		return nil, errExtraChallenge
	}
	m.answered = true
	digest := hmac.New(md5.New, []byte(m.password))
	digest.Write(challenge)
	return []byte(m.username + " " + hex.EncodeToString(digest.Sum(nil))), nil
}
