package message

import (
	"hash/fnv"
	"strconv"
)

// boundaryFor makes what the message's boundaries begin with. It follows from
// the Message-ID, so that a message is the same octets each time. "=_" cannot
// occur in quoted-printable or base64; 7bit text is searched for it.
func boundaryFor(messageID string) string {
	h := fnv.New64a()
	h.Write([]byte(bareID(messageID)))
	return "=_kz_" + strconv.FormatUint(h.Sum64(), 36)
}

// writeBody writes the part tree: mixed(alternative(text, related(html,
// inline…), calendar), attachments…), leaving out every level that would hold
// one part.
func (p *prepared) writeBody(c *composer) {
	c.boundary = p.boundary
	if len(p.attached) == 0 {
		p.writeAlternative(c)
		c.endLine()
		return
	}
	c.begin("mixed", "m")
	if p.text != "" || p.html != "" || p.calendar != "" {
		c.next("m")
		p.writeAlternative(c)
	}
	for _, a := range p.attached {
		c.next("m")
		c.writeAttachment(a)
	}
	c.end("m")
}

func (p *prepared) writeAlternative(c *composer) {
	versions := 0
	for _, version := range [...]string{p.text, p.html, p.calendar} {
		if version != "" {
			versions++
		}
	}
	if versions < 2 {
		p.writeVersions(c, func() {})
		return
	}
	c.begin("alternative", "a")
	p.writeVersions(c, func() { c.next("a") })
	c.end("a")
}

// writeVersions writes the body in every form there is, the best one last
// (RFC 2046 §5.1.4), and empty plain text if there is none.
func (p *prepared) writeVersions(c *composer, next func()) {
	if p.text != "" || p.html == "" && p.calendar == "" {
		next()
		c.writeText("plain", p.text)
	}
	if p.html != "" {
		next()
		p.writeHTML(c)
	}
	if p.calendar != "" {
		next()
		c.writeText("calendar; method="+p.method, p.calendar)
	}
}

func (p *prepared) writeHTML(c *composer) {
	if len(p.inline) == 0 {
		c.writeText("html", p.html)
		return
	}
	c.begin("related", "r")
	c.next("r")
	c.writeText("html", p.html)
	for _, a := range p.inline {
		c.next("r")
		c.writeAttachment(a)
	}
	c.end("r")
}

// begin writes the Content-Type of a multipart and the end of its header.
func (c *composer) begin(subtype, level string) {
	c.print("Content-Type: multipart/", subtype, ";")
	if subtype == "related" {
		c.print(` type="text/html";`) // RFC 2387 §3.1
	}
	c.print("\r\n boundary=\"", c.boundary, level, "\"\r\n")
}

func (c *composer) next(level string) { c.print("\r\n--", c.boundary, level, crlf) }

func (c *composer) end(level string) { c.print("\r\n--", c.boundary, level, "--\r\n") }

// endLine ends the last line of a message that is a single part.
func (c *composer) endLine() {
	if n := len(c.buf); n > 0 && c.buf[n-1] != '\n' {
		c.print(crlf)
	}
}
