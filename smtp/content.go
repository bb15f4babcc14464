package smtp

// Content is the octets of a message (RFC 5322): header, empty line, body.
// Line ends are made CRLF on the way out; dots are stuffed where DATA needs it.
type Content struct{}
