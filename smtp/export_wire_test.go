package smtp

import "io"

// What the black-box tests of the wire's parts may reach.

type ReplyReader struct{ r replyReader }

func NewReplyReader(src io.Reader) *ReplyReader { return &ReplyReader{replyReader{src: src}} }
func (r *ReplyReader) Attach(b []byte)          { r.r.attach(b) }
func (r *ReplyReader) Detach() []byte           { return r.r.detach() }
func (r *ReplyReader) Next() (Reply, error)     { return r.r.next() }
func (r *ReplyReader) Buffered() int            { return r.r.buffered() }

type MailParams struct {
	Caps Capabilities
	Size int64
	Body string
	UTF8 bool
}

func (p MailParams) params() mailParams {
	return mailParams{caps: &p.Caps, size: p.Size, body: p.Body, utf8: p.UTF8}
}

func AppendMail(dst []byte, e *Envelope, p MailParams) ([]byte, error) {
	return appendMail(dst, e, p.params())
}

func AppendRcpt(dst []byte, r *Recipient, p MailParams) ([]byte, error) {
	return appendRcpt(dst, r, p.params())
}

var (
	CheckArgument     = checkArgument
	EnvelopeNeedsUTF8 = envelopeNeedsUTF8
)
