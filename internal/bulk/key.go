package bulk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Key tells a row from all others of a table: by its recipients, and by how
// many rows before it have the same ones.
type Key uint64

// keyOf hashes. Of ten million rows two share a key with a chance of one in
// 400,000; such a row would be taken for sent.
func keyOf(recipients []string, occurrence int) Key {
	h := sha256.New()
	for _, r := range recipients {
		fmt.Fprintln(h, r)
	}
	fmt.Fprint(h, occurrence)
	return Key(binary.BigEndian.Uint64(h.Sum(nil)))
}

// String is 16 hexadecimal digits.
func (k Key) String() string { return fmt.Sprintf("%016x", uint64(k)) }

// MarshalText writes the key as String does.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	*k = Key(n)
	return err
}

// keys gives rows their keys. It remembers which recipients it has seen.
type keys map[Key]int

// next returns the key of the row after all those that were asked for, and how
// many rows before it have the same recipients.
func (k keys) next(recipients []string) (Key, int) {
	folded := make([]string, len(recipients))
	for i, r := range recipients {
		folded[i] = strings.ToLower(r)
	}
	first := keyOf(folded, 0)
	occurrence := k[first]
	k[first]++
	return keyOf(folded, occurrence), occurrence
}
