package smtp

import "io"

// What the black-box tests of the wire's parts may reach.

type ReplyReader struct{ r replyReader }

func NewReplyReader(src io.Reader) *ReplyReader { return &ReplyReader{replyReader{src: src}} }
func (r *ReplyReader) Attach(b []byte)          { r.r.attach(b) }
func (r *ReplyReader) Detach() []byte           { return r.r.detach() }
func (r *ReplyReader) Next() (Reply, error)     { return r.r.next() }
func (r *ReplyReader) Buffered() int            { return r.r.buffered() }
