package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// maxAuthLine is what a command line may hold without its line end (RFC 5321
// §4.5.3.1.4); an AUTH command with its initial response is no exception.
const maxAuthLine = 510

// authLine makes the AUTH command. An initial response that does not fit into
// the line comes back as pending: it is to be sent as the answer to the first
// challenge (RFC 4954 §4). Otherwise pending is nil.
func authLine(mechanism string, initial []byte) (line string, pending []byte) {
	line = "AUTH " + mechanism
	switch {
	case initial == nil:
		return line, nil
	case len(initial) == 0:
		return line + " =", nil
	case len(line)+1+base64.StdEncoding.EncodedLen(len(initial)) > maxAuthLine:
		return line, initial
	}
	return line + " " + base64.StdEncoding.EncodeToString(initial), nil
}

// groupable: the exchange takes one round trip and adds no security layer, so
// that other commands may follow in the same flight (RFC 4954 §4).
func groupable(name string) bool { return name == "PLAIN" || name == "EXTERNAL" }

// fallsBackToPlain: a refusal may only mean that the server keeps this user's
// password in a form that the mechanism cannot be checked against.
func fallsBackToPlain(name string) bool { return isScram(name) || name == "CRAM-MD5" }

// mechanism makes the client side of the exchange that name stands for. It asks
// for the access token, if one is needed, so it may take as long as that.
func (a *Auth) mechanism(ctx context.Context, name string, info ServerInfo) (Mechanism, error) {
	if a.New != nil {
		return a.New(name, info)
	}
	if err := a.checkNUL(); err != nil {
		return nil, err
	}
	switch name {
	case "PLAIN":
		return &oneShot{name: name, initial: a.plainResponse()}, nil
	case "EXTERNAL":
		return &oneShot{name: name, initial: []byte(a.Identity)}, nil
	case "LOGIN":
		return &loginMechanism{answers: []string{a.Username, a.Password}}, nil
	case "CRAM-MD5":
		return &cramMechanism{username: a.Username, password: a.Password}, nil
	case "XOAUTH2", "OAUTHBEARER":
		return a.oauth(ctx, name, info)
	}
	if isScram(name) {
		return a.scram(name, info.TLS)
	}
	return nil, fmt.Errorf("unknown login mechanism %q", name)
}

func (a *Auth) checkNUL() error {
	if a.New == nil && strings.ContainsRune(a.Username+a.Password+a.Identity, 0) {
		return errors.New("the user name, password or identity contains a NUL, which no mechanism can carry")
	}
	return nil
}

func (a *Auth) plainResponse() []byte {
	return []byte(a.Identity + "\x00" + a.Username + "\x00" + a.Password)
}

// refusedBecause is what the server said within the exchange about why it
// refuses (RFC 7628 §3.2.2, RFC 5802 §7), or nil. It is to be asked once the
// server has refused for good.
func refusedBecause(m Mechanism) error {
	if r, ok := m.(interface{ refusal() error }); ok {
		return r.refusal()
	}
	return nil
}
