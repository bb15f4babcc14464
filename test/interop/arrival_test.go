package interop_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// session is how messages must have come, as the server saw it.
type session struct {
	link  link
	login bool
}

// expectLetters waits for what was accepted and compares it octet for octet:
// each letter once, nothing else.
func (in *instance) expectLetters(t *testing.T, accepted []*letter, s session) {
	t.Helper()
	want := map[string]*letter{}
	for _, l := range accepted {
		want[l.copy] = l
	}
	for _, got := range in.collect(t, "bob", len(accepted)) {
		m := copyField.FindSubmatch(got)
		if m == nil {
			t.Errorf("arrived without its Copy field: %.300q", got)
			continue
		}
		l := want[string(m[1])]
		if l == nil {
			t.Errorf("copy %s was not sent, or came twice", m[1])
			continue
		}
		delete(want, l.copy)
		if err := in.differs(l.octets, got, s); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	for _, l := range want {
		t.Errorf("%s: did not arrive", l.name)
	}
}

// differs compares a message with what was made of it. In front of it stand the
// server's own fields, and no others.
func (in *instance) differs(sent, got []byte, s session) error {
	if in.lf {
		sent = bytes.ReplaceAll(sent, []byte("\r\n"), []byte("\n"))
	}
	if !bytes.HasSuffix(got, sent) && !hasBody(sent) {
		got = bytes.TrimSuffix(got, sent[len(sent)-1:]) // some write the empty line behind a header that ends without
	}
	if !bytes.HasSuffix(got, sent) {
		at := max(0, len(got)-len(sent))
		return fmt.Errorf("%d octets were sent, the last %d that arrived differ: %s", len(sent), len(got)-at, firstDifference(sent, got[at:]))
	}
	head := string(got[:len(got)-len(sent)])
	for line := range strings.Lines(head) {
		name, _, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") && !slices.Contains(in.trace, name) {
			return fmt.Errorf("the server put %q in front", line)
		}
	}
	return s.differs(head)
}

func hasBody(letter []byte) bool {
	return bytes.Contains(letter, []byte("\n\n")) || bytes.Contains(letter, []byte("\r\n\r\n"))
}

var receivedWith = regexp.MustCompile(`(?i)\bwith (?:utf8)?e?smtp(s?)(a?)\b`)

// differs compares how the server says that it got the message.
func (s session) differs(head string) error {
	m := receivedWith.FindStringSubmatch(head)
	if m == nil {
		return fmt.Errorf("no Received field that tells how: %q", head)
	}
	if (m[1] != "") != (s.link.tls != smtp.TLSNone) || (m[2] != "") != s.login {
		return fmt.Errorf("the server says %q over %s, login %t", m[0], s.link.name, s.login)
	}
	return nil
}

func firstDifference(want, got []byte) string {
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	part := func(b []byte) []byte { return b[max(0, at-20):min(len(b), at+60)] }
	return fmt.Sprintf("at octet %d %q became %q", at, part(want), part(got))
}
