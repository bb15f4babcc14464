package smtp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"reflect"
	"sync"
)

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
// very same Auth has the same fingerprint. Grant tells apart what functions of the
// same code would not.
func (a *Auth) Fingerprint() [sha256.Size]byte {
	mac := hmac.New(sha256.New, fingerprintKey())
	if a != nil {
		fmt.Fprintf(mac, "%q %q %q %q %q %x %x", a.Username, a.Password, a.Identity, a.Grant, a.Mechanisms,
			reflect.ValueOf(a.Token).Pointer(), reflect.ValueOf(a.New).Pointer())
		if a.New != nil || a.Token != nil && a.Username == "" {
			fmt.Fprintf(mac, " %x", reflect.ValueOf(a).Pointer())
		}
	}
	return [sha256.Size]byte(mac.Sum(nil))
}
