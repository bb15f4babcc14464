package corpus

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"path"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/message"
)

// Reading is what a mail program makes of a message, in one form for all of
// them.
type Reading struct {
	From      []Mailbox           `json:"from"`
	Sender    []Mailbox           `json:"sender"`
	ReplyTo   []Mailbox           `json:"replyTo"`
	To        []Mailbox           `json:"to"`
	Cc        []Mailbox           `json:"cc"`
	Bcc       []Mailbox           `json:"bcc"`
	Subject   string              `json:"subject"`
	Date      string              `json:"date"`      // RFC 3339, UTC
	MessageID string              `json:"messageID"` // with angle brackets
	Header    map[string][]string `json:"header"`    // all other fields but those of MIME, names in lower case
	Text      string              `json:"text"`      // LF line ends, without the last one
	HTML      string              `json:"html"`      // likewise
	Calendar  string              `json:"calendar"`  // likewise
	Method    string              `json:"method"`    // of the calendar
	Files     []File              `json:"files"`
}

// Mailbox is an address of a header field.
type Mailbox struct {
	Name    string `json:"name"`
	Address string `json:"address"` // quoted where its syntax needs it, the domain in Unicode
}

// File is an attachment or an inline image.
type File struct {
	Name        string            `json:"name"`
	OldName     string            `json:"oldName"` // the name that stands with the type, for old readers
	Type        string            `json:"type"`
	Parameters  map[string]string `json:"parameters"` // of the type, but for name
	Disposition string            `json:"disposition"`
	ContentID   string            `json:"contentID"` // without angle brackets
	Related     bool              `json:"related"`   // it stands with the HTML in multipart/related
	Size        int64             `json:"size"`
	SHA256      string            `json:"sha256"`
}

// Expect says what a message must be read as. Errors are those of addresses,
// types and attachments.
func Expect(m *message.Message) (*Reading, error) {
	r := &Reading{
		Subject: m.Subject, Date: m.Date.UTC().Format(time.RFC3339), MessageID: m.MessageID,
		Header: map[string][]string{}, Text: Lines(m.Text), HTML: Lines(m.HTML), Bcc: []Mailbox{},
	}
	r.expectHeader(m)
	if err := r.expectMailboxes(m); err != nil {
		return nil, err
	}
	return r, r.expectFiles(m)
}

func (r *Reading) expectHeader(m *message.Message) {
	add := func(name, value string) {
		if name = strings.ToLower(name); value != "" {
			r.Header[name] = append(r.Header[name], value)
		}
	}
	add("In-Reply-To", identifiers(m.InReplyTo))
	add("References", cmp.Or(identifiers(m.References...), identifiers(m.InReplyTo)))
	switch m.Importance {
	case message.ImportanceHigh:
		add("Importance", "high")
		add("X-Priority", "1 (Highest)")
	case message.ImportanceLow:
		add("Importance", "low")
		add("X-Priority", "5 (Lowest)")
	}
	r.expectUnsubscribe(&m.Unsubscribe, add)
	for _, f := range m.Header {
		name := strings.ToLower(f.Name)
		r.Header[name] = append(r.Header[name], f.Value)
	}
}

func (r *Reading) expectUnsubscribe(u *message.Unsubscribe, add func(name, value string)) {
	var ways []string
	if u.URL != "" {
		ways = append(ways, "<"+u.URL+">")
	}
	if u.Mailto != "" {
		ways = append(ways, "<mailto:"+u.Mailto+">")
	}
	add("List-Unsubscribe", strings.Join(ways, ", "))
	if u.OneClick {
		add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
}

// identifiers writes Message-IDs with their angle brackets.
func identifiers(ids ...string) string {
	var written []string
	for _, id := range ids {
		if id = strings.Trim(id, "<>"); id != "" {
			written = append(written, "<"+id+">")
		}
	}
	return strings.Join(written, " ")
}

// Lines brings a text into the form of [Reading].
func Lines(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.TrimSuffix(text, "\n")
}

func (r *Reading) expectMailboxes(m *message.Message) (err error) {
	sender := []string{}
	if m.Sender != "" {
		sender = append(sender, m.Sender)
	}
	for _, field := range []struct {
		from []string
		to   *[]Mailbox
	}{{[]string{m.From}, &r.From}, {sender, &r.Sender}, {m.ReplyTo, &r.ReplyTo}, {m.To, &r.To}, {m.Cc, &r.Cc}} {
		list := []Mailbox{}
		for _, s := range field.from {
			a, err := mail.ParseAddress(s)
			if err != nil {
				return fmt.Errorf("address %q: %w", s, err)
			}
			list = append(list, Mailbox{a.Name, Address(a)})
		}
		*field.to = list
	}
	return nil
}

// Address writes what net/mail read into the form of [Reading].
func Address(a *mail.Address) string {
	written := (&mail.Address{Address: a.Address}).String()
	return strings.Trim(written, "<>")
}

func (r *Reading) expectFiles(m *message.Message) error {
	var related, attached []File
	for i := range m.Attachments {
		f, err := expectFile(&m.Attachments[i])
		if err != nil {
			return err
		}
		if f.Related = f.ContentID != "" && m.HTML != ""; f.Related {
			related = append(related, f)
		} else {
			attached = append(attached, f)
		}
	}
	r.Files = append(append([]File{}, related...), attached...)
	return r.expectCalendar(&m.Calendar)
}

// expectCalendar expects it twice: in the body, and as a file.
func (r *Reading) expectCalendar(c *message.Calendar) error {
	if c.Text == "" {
		return nil
	}
	_, method, _ := strings.Cut(c.Text, "METHOD:")
	method, _, _ = strings.Cut(method, "\r\n")
	r.Calendar, r.Method = Lines(c.Text), method
	f, err := expectFile(&message.Attachment{
		Name: cmp.Or(c.Name, "invite.ics"), ContentType: "application/ics", Data: []byte(c.Text),
	})
	r.Files = append(r.Files, f)
	return err
}

func expectFile(a *message.Attachment) (f File, err error) {
	f = File{Name: a.Name, OldName: a.Name, Disposition: "attachment", ContentID: strings.Trim(a.ContentID, "<>")}
	if f.ContentID != "" || a.Inline {
		f.Disposition = "inline"
	}
	if f.Type, f.Parameters, err = expectType(a); err != nil {
		return f, err
	}
	if own, given := f.Parameters["name"]; given {
		f.OldName = own
		delete(f.Parameters, "name")
	}
	content := io.Reader(strings.NewReader(string(a.Data)))
	if a.Open != nil {
		opened, err := a.Open()
		if err != nil {
			return f, err
		}
		defer opened.Close()
		content = opened
	}
	f.Size, f.SHA256, err = Digest(content)
	return f, err
}

// typesByExtension are those that the corpus leaves to be guessed.
var typesByExtension = map[string]string{
	".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".txt": "text/plain", ".html": "text/html",
}

func expectType(a *message.Attachment) (string, map[string]string, error) {
	if a.ContentType == "" {
		guess := typesByExtension[strings.ToLower(path.Ext(a.Name))]
		if guess == "" {
			guess = "application/octet-stream"
		}
		return guess, map[string]string{}, nil
	}
	return mime.ParseMediaType(a.ContentType)
}

// Digest counts and hashes.
func Digest(r io.Reader) (int64, string, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return n, hex.EncodeToString(h.Sum(nil)), err
}
