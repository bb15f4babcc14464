package message

import "github.com/kaizenmail/kaizen/smtp"

// maxInMemory is the size up to which a message is composed once and kept, and
// above which it is composed anew each time it is written.
const maxInMemory = 256 << 10

// bytes composes a small message. Without an error, false means that the
// message is for WriteTo: larger than maxInMemory.
func (m *Message) bytes() ([]byte, bool, error) {
	p, err := m.prepare()
	if err != nil || p.size > maxInMemory+maxInMemory/4 {
		return nil, false, err
	}
	c := composer{full: maxInMemory, buf: make([]byte, 0, p.size)}
	p.compose(&c)
	if c.err == errTooLarge {
		return nil, false, nil
	}
	return c.buf, c.err == nil, c.err
}

// Content is the message's octets, ready to send: a small message is composed
// now, a larger one each time it is sent.
func (m *Message) Content() (*smtp.Content, error) {
	octets, inMemory, err := m.bytes()
	switch {
	case err != nil:
		return nil, err
	case inMemory:
		return smtp.Bytes(octets), nil
	}
	p, err := m.prepare()
	if err != nil || p.least == 0 {
		return smtp.ReplayableWriterTo(m), err
	}
	// At least that much: a server that takes less can say so before the content
	// is sent (RFC 1870 §6.1 asks for an estimate).
	return smtp.ReplayableWriterTo(m).DeclareSize(p.least), nil
}

// GetMessageID returns MessageID, which is set at the first use, as go-mail's
// messages name it.
func (m *Message) GetMessageID() string { return m.MessageID }
