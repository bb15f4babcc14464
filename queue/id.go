package queue

import (
	"fmt"
	"strconv"
)

// ID names a job within its store, for good: it is never given again. IDs are
// positive and, of one process, grow. They are written in decimal.
type ID int64

// ParseID reads an ID as String writes it.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no job: an ID is a positive number", s)
	}
	return ID(n), nil
}

// String writes the ID in decimal.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// MarshalText writes the ID as String does: in JSON it is a string, as not all
// readers take whole numbers of 64 bits.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads an ID as String writes it.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// Token proves that a job was claimed, and by whom: each claim makes another.
// The zero value stands for none.
type Token struct {
	ID    ID
	Nonce uint64 // random, never 0
}
