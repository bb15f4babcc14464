package corpus_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/test/corpus"
)

func all(t *testing.T) []corpus.Case {
	t.Helper()
	fromDisk, err := corpus.FileCase(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return append(corpus.Cases(), fromDisk)
}

func write(t *testing.T, m *message.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestNetMailReadsThemAll finds every message to be what went in.
func TestNetMailReadsThemAll(t *testing.T) {
	t.Parallel()
	for _, c := range all(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			octets := write(t, c.Message)
			want, err := corpus.Expect(c.Message)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readWithNetMail(bytes.NewReader(octets))
			if err != nil {
				t.Fatalf("%v\n%.2000s", err, octets)
			}
			for _, d := range corpus.Compare(want, got) {
				t.Errorf("%s: want %.300s\n got %.300s", d.Field, d.Want, d.Got)
			}
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range all(t) {
		if seen[c.Name] || strings.Count(c.Name, "/") != 1 {
			t.Errorf("%s: there is another, or it is not of the form kind/what", c.Name)
		}
		seen[c.Name] = true
	}
}

// TestOctets holds every message to the wire's rules.
func TestOctets(t *testing.T) {
	t.Parallel()
	for _, c := range all(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			octets := write(t, c.Message)
			if again := write(t, c.Message); !bytes.Equal(octets, again) {
				t.Error("written twice, the octets differ")
			}
			if !strings.HasPrefix(c.Name, "address/utf8-") && bytes.ContainsFunc(octets, func(r rune) bool { return r >= 0x80 }) {
				t.Error("not ASCII")
			}
			if bytes.Contains(octets, []byte("hidden.example")) {
				t.Error("Bcc shows")
			}
			checkLines(t, octets)
		})
	}
}

func checkLines(t *testing.T, octets []byte) {
	t.Helper()
	if !bytes.HasSuffix(octets, []byte("\r\n")) {
		t.Error("no line end at the end")
	}
	header, inHeader := "", true
	for line := range strings.SplitSeq(string(octets), "\r\n") {
		inHeader = inHeader && line != ""
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("a line of %d octets, or CR, LF or NUL in it: %.80q", len(line), line)
		}
		if inHeader {
			header += line + "\n"
		}
	}
	checkFolds(t, header)
}

// checkFolds looks for lines of a header that could be shorter, and for those
// that end in a space, which servers take off.
func checkFolds(t *testing.T, header string) {
	t.Helper()
	for line := range strings.Lines(header) {
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(line, " ") {
			name, value = "", line[1:]
		}
		if len(line) > 78 && strings.Contains(strings.TrimSpace(value), " ") {
			t.Errorf("a line of %d octets that could be folded: %q", len(line), line)
		}
		if strings.HasSuffix(line, " ") && (name == "" || value != "") {
			t.Errorf("a line ends in a space: %q", line)
		}
	}
}
