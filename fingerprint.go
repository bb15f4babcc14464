package kaizen

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"mime"
	"strings"
)

// fingerprint tells messages of the same key apart: by envelope and content. What a
// message that is composed again has anew does not count: Date, Message-ID, and
// the boundary of its parts. Of a content that is read only once, and is longer than
// its first 64 KB, the rest does not count either.
func fingerprint(p *Prepared) ([]byte, error) {
	h := sha256.New()
	e := &p.Envelope
	fmt.Fprintf(h, "%q %d %q %t", e.From, e.Return, e.EnvelopeID, e.RequireTLS)
	for _, to := range e.To {
		fmt.Fprintf(h, " %q %d %q", to.Address, to.Notify, to.OriginalRecipient)
	}
	head := p.Content.Head()
	boundary := boundaryOf(head)
	body := fingerprintHeader(h, head, boundary)
	if octets, ok := p.Content.Octets(); ok {
		body = octets[len(head)-len(body):]
	}
	hashWithout(h, body, boundary)
	return h.Sum(nil), nil
}

// fingerprintHeader hashes the header and returns what follows it.
func fingerprintHeader(h hash.Hash, head, boundary []byte) (body []byte) {
	for len(head) > 0 {
		field, rest := cutField(head)
		head = rest
		name, _, _ := bytes.Cut(field, []byte(":"))
		switch strings.ToLower(string(name)) {
		case "date", "message-id", "dkim-signature":
			continue
		}
		hashWithout(h, field, boundary)
		if len(bytes.TrimRight(field, "\r\n")) == 0 {
			break
		}
	}
	return head
}

func hashWithout(h hash.Hash, b, part []byte) {
	if len(part) > 0 {
		b = bytes.ReplaceAll(b, part, nil)
	}
	h.Write(b)
}

// ownBoundary is what boundaries of package message begin with.
const ownBoundary = "=_kz_"

func boundaryOf(head []byte) []byte {
	_, parameters, err := mime.ParseMediaType(headerField(head, "Content-Type"))
	if err != nil {
		return nil
	}
	boundary := parameters["boundary"]
	if strings.HasPrefix(boundary, ownBoundary) {
		boundary = boundary[:len(boundary)-1] // inner ones end in another letter
	}
	return []byte(boundary)
}
