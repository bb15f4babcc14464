package state

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// fileName is how the files of an account are called: what is harmless of its
// name, for people, and a hash that tells all names apart.
func fileName(account string) string {
	harmless := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '@', r == '.':
			return r
		}
		return '_'
	}, account)
	sum := sha256.Sum256([]byte(account))
	return fmt.Sprintf("%.40s-%x", strings.TrimLeft(harmless, "."), sum[:6])
}
