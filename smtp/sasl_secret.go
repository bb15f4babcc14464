package smtp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// challengeShown stands for the text of a 334 reply: what it means depends on
// the mechanism, and some of it may be worth a guess at the password.
const challengeShown = "<challenge>"

// scrubReply returns the reply as it may be kept and shown: some servers repeat
// what they were told. The engine needs the challenge of a 334 itself and keeps
// the original of that.
func scrubReply(r Reply, secrets []string) Reply {
	if r.Code == 334 {
		r.Text = challengeShown
		return r
	}
	for _, secret := range secrets {
		r.Text = strings.ReplaceAll(r.Text, secret, redacted)
	}
	return r
}

// secrets are the forms in which the password goes over the wire, the longer
// before what it contains. Passwords of one or two octets stay: every text
// contains them, and replacing would show them.
func (a *Auth) secrets() []string {
	secrets := []string{}
	if a.Password != "" {
		secrets = append(secrets, encoded(a.plainResponse())...)
	}
	if len(a.Password) >= 3 {
		secrets = append(append(secrets, encoded([]byte(a.Password))...), a.Password)
	}
	return secrets
}

// secrets are the forms in which the token goes over the wire.
func (m *oauthMechanism) secrets() []string {
	return append(append(encoded([]byte(m.initial)), encoded([]byte(m.token))...), m.token)
}

func encoded(secret []byte) []string {
	return []string{base64.StdEncoding.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret)}
}

// fingerprintKey differs in every process, so that a fingerprint that gets out
// is of no use for guessing passwords.
var fingerprintKey = sync.OnceValue(func() []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key) // never fails
	return key
})

// Fingerprint tells logins apart without keeping their secrets. It is the same
// for equal logins within one process and means nothing outside it. A nil Auth
// has one too. Functions are compared by their code; where what a function
// captured may decide who logs in (New, or Token without a Username), only the
// very same Auth has the same fingerprint.
func (a *Auth) Fingerprint() [sha256.Size]byte {
	mac := hmac.New(sha256.New, fingerprintKey())
	if a != nil {
		fmt.Fprintf(mac, "%q %q %q %q %x %x", a.Username, a.Password, a.Identity, a.Mechanisms,
			reflect.ValueOf(a.Token).Pointer(), reflect.ValueOf(a.New).Pointer())
		if a.New != nil || a.Token != nil && a.Username == "" {
			fmt.Fprintf(mac, " %x", reflect.ValueOf(a).Pointer())
		}
	}
	return [sha256.Size]byte(mac.Sum(nil))
}
