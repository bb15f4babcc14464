package message

import (
	"io"
	"slices"

	"github.com/kaizenmail/kaizen/smtp"
)

// maxInMemory is the size up to which a message is composed once and kept, and
// above which it is composed anew each time it is written.
const maxInMemory = 256 << 10

// Content is the message's octets, ready to send: a small message is composed
// now, a larger one each time it is sent. One with an attachment from
// [AttachReader] is composed when it is sent, once.
func (m *Message) Content() (*smtp.Content, error) {
	p, err := m.prepare()
	if err != nil {
		return nil, err
	}
	content, err := p.content()
	if err == nil && p.needsUTF8() {
		content.RequireSMTPUTF8()
	}
	return content, err
}

func (p *prepared) content() (*smtp.Content, error) {
	octets, ok, err := p.inMemory()
	if err != nil {
		return nil, err
	}
	if ok {
		return smtp.Bytes(octets), nil
	}
	m := p.Message
	content := smtp.ReplayableWriterTo(m)
	if p.once {
		content = smtp.WriterTo(m)
	}
	if p.least > 0 {
		// At least that much: a server that takes less can say so before the content
		// is sent (RFC 1870 §6.1 asks for an estimate).
		content.DeclareSize(p.least)
	}
	return content, nil
}

// needsUTF8 reports whether a field has an address that only UTF-8 can write.
func (p *prepared) needsUTF8() bool {
	for _, list := range [][]address{{p.from, p.sender}, p.replyTo, p.to, p.cc} {
		for i := range list {
			if !isASCII(list[i].local) {
				return true
			}
		}
	}
	return false
}

// inMemory composes a small message. Without an error, false means that the
// message is for WriteTo: larger than maxInMemory, or not to be read before.
func (p *prepared) inMemory() ([]byte, bool, error) {
	if p.once || p.size > maxInMemory+maxInMemory/4 {
		return nil, false, nil
	}
	c := composer{full: maxInMemory, buf: make([]byte, 0, p.size)}
	p.compose(&c)
	if c.err == errTooLarge {
		return nil, false, nil
	}
	if c.err != nil || len(p.DKIM) == 0 {
		return c.buf, c.err == nil, c.err
	}
	fields, _, err := p.signed.sign(p.DKIM, func(w io.Writer) (int64, error) {
		n, err := w.Write(c.buf)
		return int64(n), err
	})
	return slices.Concat(fields, c.buf), err == nil, err
}

// GetMessageID returns MessageID, which is set at the first use, as go-mail's
// messages name it.
func (m *Message) GetMessageID() string { return m.MessageID }
