package message

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// DKIM signs a message for a domain (RFC 6376): receivers find the public key in
// the DNS and see that the message is the domain's and unchanged. Give RSA and
// Ed25519 as two of them, as not every receiver knows Ed25519.
//
// The body, and the fields of the header that matter, are signed. From,
// Reply-To, To, Cc, Subject, Date and Message-ID are signed once more than they
// occur, so that nobody can add another one; so are those of the others that
// the message has.
type DKIM struct {
	// Domain answers for the message. For DMARC it must be that of From, or of its
	// organization.
	Domain string
	// Selector names the key: its record is at Selector._domainkey.Domain.
	Selector string
	Key      DKIMKey
	// Fields are names of further header fields to sign.
	Fields []string
	// Canonicalization is what may be changed on the way, in the header and in the
	// body: "relaxed/relaxed" (the default: white space), "relaxed/simple",
	// "simple/relaxed" or "simple/simple".
	Canonicalization string
}

// Fields that are signed (RFC 6376 §5.4.1, RFC 8058 §4).
var (
	// sealedFields are signed once more than they occur, zero times too.
	sealedFields = [...]string{"From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID"}
	// presentFields are signed once more than they occur if they occur.
	presentFields = [...]string{"Sender", "In-Reply-To", "References", "MIME-Version", "Content-Type",
		"Content-Transfer-Encoding", "Content-ID", "Importance", "X-Priority", "List-Id", "List-Help", "List-Unsubscribe",
		"List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive"}
	// resentFields are signed as often as they occur: whoever passes the message
	// on adds another set.
	resentFields = [...]string{"Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID"}
)

var (
	errSelector         = errors.New("not a selector: letters, digits and hyphens, with dots between")
	errDomain           = errors.New("not a domain name")
	errCanonicalization = errors.New("none of relaxed/relaxed, relaxed/simple, simple/relaxed, simple/simple")
	errNoFrom           = errors.New("the message has no From field, which must be signed (RFC 6376 §5.4)")
	errManySigned       = errors.New("too many header fields to sign: their names are over 900 octets")
)

func (p *prepared) checkSignatures() error {
	p.size += 1024 * len(p.DKIM)
	return checkDKIM(p.DKIM)
}

func checkDKIM(signatures []DKIM) error {
	for i := range signatures {
		if field, value, err := signatures[i].check(); err != nil {
			return fieldError(indexed("DKIM", i)+"."+field, value, err)
		}
	}
	return nil
}

func (d *DKIM) check() (field, value string, err error) {
	domain, err := asciiDomain(d.Domain)
	if err != nil || !isHostName(domain) {
		return "Domain", d.Domain, errDomain
	}
	if !isHostName(d.Selector) {
		return "Selector", d.Selector, errSelector
	}
	if d.Key.hidden == nil {
		return "Key", "", errNoKey
	}
	for i, name := range d.Fields {
		if name == "" || len(name) > maxFieldName || !all(name, fieldOctet) || strings.Contains(name, ";") {
			return indexed("Fields", i), name, errFieldName
		}
	}
	switch d.Canonicalization {
	case "", "relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple":
		return "", "", nil
	}
	return "Canonicalization", d.Canonicalization, errCanonicalization
}

// isHostName reports labels of letters, digits and hyphens with dots between.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return len(s) <= 253
}

// signer begins the signature of a message whose header has these fields, named
// in lower case.
func (d *DKIM) signer(header []string) (*dkim.Signer, error) {
	names := d.signed(header)
	if len(names) == 0 {
		return nil, errNoFrom
	}
	if len(strings.Join(names, ":")) > maxUnbroken {
		return nil, errManySigned
	}
	domain, err := asciiDomain(d.Domain)
	if err != nil {
		return nil, err
	}
	head, body := dkim.Canonicalization(dkim.CanonicalizationRelaxed), dkim.Canonicalization(dkim.CanonicalizationRelaxed)
	if h, b, given := strings.Cut(d.Canonicalization, "/"); given {
		head, body = dkim.Canonicalization(h), dkim.Canonicalization(b)
	}
	return dkim.NewSigner(&dkim.SignOptions{Domain: domain, Selector: d.Selector, Signer: d.Key.hidden().signer,
		HeaderCanonicalization: head, BodyCanonicalization: body, HeaderKeys: names})
}

// signed lists the fields to sign, each as often as it is signed. It is empty
// without a From.
func (d *DKIM) signed(header []string) (names []string) {
	occurs := make(map[string]int, len(header))
	for _, name := range header {
		occurs[name]++
	}
	if occurs["from"] == 0 {
		return nil
	}
	add := func(name string, more int) {
		name = strings.ToLower(name)
		for range occurs[name] + more {
			names = append(names, name)
		}
		occurs[name] = 0
	}
	for _, name := range sealedFields {
		add(name, 1)
	}
	for _, name := range slices.Concat(presentFields[:], d.Fields) {
		if occurs[strings.ToLower(name)] > 0 {
			add(name, 1)
		}
	}
	for _, name := range resentFields {
		add(name, 0)
	}
	return names
}
