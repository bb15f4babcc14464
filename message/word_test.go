package message_test

import (
	"bytes"
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

var encodedWord = regexp.MustCompile(`=\?utf-8\?[bq]\?[^?]*\?=`)

// writtenField returns a field as it stands there, with its line breaks.
func writtenField(t *testing.T, octets []byte, name string) string {
	t.Helper()
	_, after, found := bytes.Cut(octets, []byte("\r\n"+name+":"))
	if !found {
		t.Fatalf("no field %s in\n%s", name, octets)
	}
	value := ""
	for line := range strings.Lines(string(after)) {
		if value != "" && line[0] != ' ' {
			break
		}
		if value += line; strings.HasSuffix(strings.TrimRight(line, "\r\n"), " ") || len(line) > 80 {
			t.Errorf("%s: a line ends in a space or is too long: %q", name, line)
		}
	}
	return strings.TrimSuffix(value, "\r\n")
}

// TestNamesAreEncodedNoMoreThanTheyMust: some readers put a space between the
// encoded words of a name.
func TestNamesAreEncodedNoMoreThanTheyMust(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Honourable ", 9) + "Member"
	for name, words := range map[string]int{
		long:                         0,
		"Dr. " + long:                0,
		`"` + long + `\`:             0,
		strings.Repeat("y", 77):      0,
		strings.Repeat("ü", 21):      1, // fits where the field begins
		strings.Repeat("ש", 22):      1, // fits a line of its own
		strings.Repeat("ש", 40):      2,
		strings.Repeat("emoji 🌅", 4): 1,
	} {
		m := simple()
		mailbox := (&mail.Address{Name: name, Address: "a@example.com"}).String()
		m.From, m.To = mailbox, []string{mailbox}
		octets := write(t, m)
		for _, field := range []string{"From", "To"} {
			written := writtenField(t, octets, field)
			if n := len(encodedWord.FindAllString(written, -1)); n != words {
				t.Errorf("%q has %d encoded words, want %d:\n%s", name, n, words, written)
			}
		}
		parsed, _ := parse(t, octets)
		if list, err := parsed.Header.AddressList("To"); err != nil || list[0].Name != name {
			t.Errorf("%q came back as %v, %v", name, list, err)
		}
	}
}

// TestEncodedWordsHoldWholeCharacters as people see them: some readers show the
// words one by one.
func TestEncodedWordsHoldWholeCharacters(t *testing.T) {
	t.Parallel()
	for _, character := range []string{"👩‍👩‍👧‍👦", "👍🏽", "🇨🇭", "e\u0323\u0301", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "नि", "각"} {
		for shift := range 4 {
			m := simple()
			m.Subject = strings.Repeat("-", shift) + strings.Repeat(character, 30)
			words := encodedWord.FindAllString(writtenField(t, write(t, m), "Subject"), -1)
			for i, word := range words {
				decoded := strings.TrimLeft(decodeText(t, word), "-")
				if strings.ReplaceAll(decoded, character, "") != "" {
					t.Errorf("%s: word %d of %d is %q", character, i, len(words), decoded)
				}
			}
		}
	}
}

// TestFileNameForEveryReader: those that know RFC 2231 read filename, the others
// name.
func TestFileNameForEveryReader(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a.pdf", `quo"te\back.pdf`, "résumé.pdf", "=?utf-8?q?a?=.txt", "tab\t.txt",
		strings.Repeat("long", 100) + ".txt", strings.Repeat("長い", 100) + ".txt",
	} {
		m := simple()
		m.Attachments = []message.Attachment{{Name: name, ContentType: "application/x-test"}}
		octets := write(t, m)
		for line := range bytes.SplitSeq(octets, []byte("\r\n")) {
			if len(line) > 76 {
				t.Errorf("%q: line of %d octets: %s", name, len(line), line)
			}
		}
		if bytes.Contains(octets, []byte(`filename="=?`)) {
			t.Errorf("%q: readers may decode this file name twice:\n%s", name, octets)
		}
		_, parts := parse(t, octets)
		_, parameters, err := mime.ParseMediaType(parts[1].header.Get("Content-Type"))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if old := decodeText(t, parameters["name"]); old != name || parts[1].name != name {
			t.Errorf("%q came back as %q and %q", name, parts[1].name, old)
		}
	}
}
