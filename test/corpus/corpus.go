// Package corpus holds messages that are hard to write so that every mail
// program reads them the same: what package message makes of them is given to
// several parsers, and sent through servers.
//
// [Cases] makes the messages, [Expect] says what each must be read as. Both go
// by the fields of the message alone, never by what was written.
package corpus

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/message"
)

// Case is a message and what it is called.
type Case struct {
	Name    string // "kind/what": letters, digits, hyphens and one slash
	Message *message.Message
}

// Cases makes the corpus anew. Date and Message-ID of each are fixed, so that
// its octets are the same in every run.
func Cases() []Case {
	return slices.Concat(textCases(), headerCases(), fieldCases(), addressCases(), bodyCases(), attachmentCases())
}

// FileCase is the case with a file on disk, which it writes into dir.
func FileCase(dir string) (Case, error) {
	path := filepath.Join(dir, "Grüße 改善.bin")
	if err := os.WriteFile(path, everyOctet(), 0o600); err != nil {
		return Case{}, err
	}
	return with("attachment/file", func(m *message.Message) {
		m.Attachments = []message.Attachment{message.AttachFile(path)}
	}), nil
}

// with is an everyday message, made hard in one way.
func with(name string, change func(*message.Message)) Case {
	m := &message.Message{
		From: "Ann Lee <ann@example.com>", To: []string{"bob@example.org"},
		Subject: name, Text: "Hello\n",
		Date:      time.Date(2026, 3, 29, 1, 59, 59, 0, time.FixedZone("", 2*60*60)),
		MessageID: "<" + strings.ReplaceAll(name, "/", ".") + "@corpus.example>",
	}
	change(m)
	return Case{Name: name, Message: m}
}

func everyOctet() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func opener(content string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}
