package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/message/mailtemplate"
)

// LetterSource is a letter as it was written: each string is a template over
// the values of a row (see package mailtemplate).
type LetterSource struct {
	From, ReplyTo string // ReplyTo and the next three: addresses, separated by commas
	To, Cc, Bcc   string
	Body          mailtemplate.Source // and subject; its Funcs, Partials and AllowMissing are for all strings
	Attach        []string            // paths of files; one that comes out empty is left out
	Inline        []string            // paths of files that the HTML shows as cid:NAME
	Header        []message.Field     // one whose value comes out empty is left out
	Unsubscribe   message.Unsubscribe
	Importance    message.Importance
	DKIM          []message.DKIM `json:"-"`
}

// Letter makes a message of each row. It is safe for concurrent use.
type Letter struct {
	source         LetterSource
	from, replyTo  *mailtemplate.Line
	to, cc, bcc    *mailtemplate.Line
	body           *mailtemplate.Template
	attach, inline []*mailtemplate.Line
	header         []*mailtemplate.Line
	url, mailto    *mailtemplate.Line // to unsubscribe
	fingerprint    string
}

// functions are those of all templates of a letter, beside those of mailtemplate.
var functions = map[string]any{
	// address makes "Ann Lee" and ann@example.com one mailbox, quoted as need be.
	"address": func(name, address any) string {
		return (&mail.Address{Name: fmt.Sprint(name), Address: fmt.Sprint(address)}).String()
	},
}

// NewLetter compiles a letter. Errors name the part that is wrong.
func NewLetter(source LetterSource) (*Letter, error) {
	l := &Letter{source: source, fingerprint: source.fingerprint()}
	source.Body.Funcs = functions
	c := compiler{source: source.Body}
	l.from, l.replyTo = c.line("from", source.From), c.line("reply-to", source.ReplyTo)
	l.to, l.cc, l.bcc = c.line("to", source.To), c.line("cc", source.Cc), c.line("bcc", source.Bcc)
	l.url, l.mailto = c.line("unsubscribe", source.Unsubscribe.URL), c.line("unsubscribe", source.Unsubscribe.Mailto)
	for _, text := range source.Attach {
		l.attach = append(l.attach, c.line("attach", text))
	}
	for _, text := range source.Inline {
		l.inline = append(l.inline, c.line("inline", text))
	}
	for _, h := range source.Header {
		l.header = append(l.header, c.line("header "+h.Name, h.Value))
	}
	if c.err != nil {
		return nil, c.err
	}
	var err error
	l.body, err = mailtemplate.New(source.Body)
	return l, err
}

// compiler compiles until something is wrong.
type compiler struct {
	source mailtemplate.Source
	err    error
}

func (c *compiler) line(name, text string) *mailtemplate.Line {
	if c.err != nil {
		return nil
	}
	line, err := c.source.Line(name, text)
	c.err = err
	return line
}

// Fingerprint is different for letters that differ.
func (l *Letter) Fingerprint() string { return l.fingerprint }

func (s LetterSource) fingerprint() string {
	s.Body.Funcs = nil
	text, err := json.Marshal(s)
	if err != nil {
		panic("strings cannot fail to marshal: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// recipients are the bare addresses of a row, sorted, as it is known by. Where
// they cannot be told, what is there instead stands for them.
func (l *Letter) recipients(row Row) (list []string) {
	for _, line := range []*mailtemplate.Line{l.to, l.cc, l.bcc} {
		text, err := line.Render(row.Values)
		if err != nil {
			return []string{fmt.Sprint(row.Values)}
		}
		parsed, err := splitAddresses(text)
		if err != nil {
			parsed = []*mail.Address{{Address: text}}
		}
		for _, a := range parsed {
			list = append(list, a.Address)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func splitAddresses(text string) ([]*mail.Address, error) {
	if text == "" {
		return nil, nil
	}
	return mail.ParseAddressList(text)
}

// message composes the message of a row.
func (l *Letter) message(row Row) (*message.Message, error) {
	w := writer{row: row}
	m := &message.Message{From: w.line(l.from), Importance: l.source.Importance, DKIM: l.source.DKIM}
	m.To, m.Cc, m.Bcc = w.addresses("to", l.to), w.addresses("cc", l.cc), w.addresses("bcc", l.bcc)
	m.ReplyTo = w.addresses("reply-to", l.replyTo)
	for i, line := range l.header {
		if value := w.line(line); value != "" {
			m.Header = append(m.Header, message.Field{Name: l.source.Header[i].Name, Value: value})
		}
	}
	m.Unsubscribe.URL, m.Unsubscribe.Mailto = w.line(l.url), w.line(l.mailto)
	m.Unsubscribe.OneClick = l.source.Unsubscribe.OneClick && m.Unsubscribe.URL != ""
	for _, line := range l.inline {
		if path := w.line(line); path != "" {
			a := message.AttachFile(path)
			a.ContentID = a.Name
			m.Attachments = append(m.Attachments, a)
		}
	}
	for _, line := range l.attach {
		if path := w.line(line); path != "" {
			m.Attachments = append(m.Attachments, message.AttachFile(path))
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	rendered, err := l.body.Render(row.Values)
	if err != nil {
		return nil, err
	}
	rendered.Fill(m)
	return m, nil
}

// writer fills lines with a row until something is wrong.
type writer struct {
	row Row
	err error
}

func (w *writer) line(line *mailtemplate.Line) string {
	if w.err != nil {
		return ""
	}
	text, err := line.Render(w.row.Values)
	w.err = err
	return text
}

func (w *writer) addresses(name string, line *mailtemplate.Line) (list []string) {
	text := w.line(line)
	parsed, err := splitAddresses(text)
	if err != nil {
		w.err = fmt.Errorf("%s %q is not a list of addresses: %s", name, text, strings.TrimPrefix(err.Error(), "mail: "))
	}
	for _, a := range parsed {
		list = append(list, a.String())
	}
	return list
}
