// Package leak finds secrets in what a program has written: in the clear and in
// the encodings in which secrets get out unnoticed. It is for tests, and shares no
// code with what hides secrets.
package leak

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Finder looks for secrets. It is safe for concurrent use.
type Finder struct {
	needles map[string][]needle // by their first octets
	begins  [1 << 16]bool       // by the first two: most places need no closer look
}

type needle struct {
	text         string // in one encoding, or a fragment of it
	secret, form string // its name, and what the encoding is called
}

// Finding is a secret at a place where none may be. It does not show the secret.
type Finding struct {
	Secret string // its name
	Form   string // the encoding it was found in
	Offset int    // in the text
	Before string // up to 40 octets of what stands before it
}

// String says what was found, and where.
func (f Finding) String() string {
	return fmt.Sprintf("secret %q, %s, at octet %d behind %q", f.Secret, f.Form, f.Offset, f.Before)
}

// indexed is how many octets of a needle find it; no needle is shorter.
const indexed = 3

// New makes a finder of secrets by their names. Secrets of less than three octets
// cannot be told from other text; New panics, as it does for an empty set.
//
// With fragments over zero any so many octets of a secret are a finding, so that
// one that is cut short or written on two lines is found too; of an encoding what
// so many octets take up in it. Otherwise secrets are found whole.
func New(secrets map[string]string, fragments int) *Finder {
	if len(secrets) == 0 {
		panic("leak: no secrets to look for")
	}
	f := &Finder{needles: map[string][]needle{}}
	for name, secret := range secrets {
		if len(secret) < indexed {
			panic("leak: the secret " + name + " is too short")
		}
		for _, form := range encodings(secret) {
			for _, text := range pieces(form.text, fragments*len(form.text)/len(secret)) {
				n := needle{text, name, form.name}
				f.needles[text[:indexed]] = append(f.needles[text[:indexed]], n)
				f.begins[int(text[0])<<8|int(text[1])] = true
			}
		}
	}
	return f
}

// pieces are all parts of that length, or the whole.
func pieces(text string, length int) []string {
	if length < indexed || len(text) <= length {
		return []string{text}
	}
	var all []string
	for i := range len(text) - length + 1 {
		all = append(all, text[i:i+length])
	}
	return all
}

// Find returns one finding for each secret and encoding in the text. Besides the
// text as it is, it is read without the line ends that quoted-printable and
// base64 put into long lines.
func (f *Finder) Find(text []byte) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, layout := range layouts(text) {
		for i := 0; i+indexed <= len(layout); i++ {
			if !f.begins[int(layout[i])<<8|int(layout[i+1])] {
				continue
			}
			for _, n := range f.needles[string(layout[i:i+indexed])] {
				if !bytes.HasPrefix(layout[i:], []byte(n.text)) {
					continue
				}
				if key := n.secret + "\x00" + n.form; !seen[key] {
					seen[key] = true
					found = append(found, Finding{n.secret, n.form, i, string(layout[max(0, i-40):i])})
				}
			}
		}
	}
	return found
}

// layouts are the text as it is, and without line ends and what is put around them.
func layouts(text []byte) [][]byte {
	all := [][]byte{text}
	if bytes.Contains(text, []byte("\n")) {
		s := strings.NewReplacer("=\r\n", "", "=\n", "", "\r\n", "", "\n", "").Replace(string(text))
		all = append(all, []byte(s))
	}
	return all
}

// FindString is Find for text in a string.
func (f *Finder) FindString(text string) []Finding { return f.Find([]byte(text)) }

// FindAll reads all there is. Offsets count from its beginning.
func (f *Finder) FindAll(r io.Reader) ([]Finding, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return f.Find(text), nil
}
