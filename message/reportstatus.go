package message

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
)

const (
	dateForm = "Mon, 02 Jan 2006 15:04:05 -0700"
	// maxDiagnostic is how many octets of a reply are repeated; a server may send
	// far more.
	maxDiagnostic = 2000
	maxWord       = 200 // of it, without a space
)

// writeStatus writes the part for programs (RFC 3464 §2).
func (c *composer) writeStatus(d *draft) {
	c.print("Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n\r\n")
	c.field("Original-Envelope-Id", "", d.Original.EnvelopeID)
	c.field("Reporting-MTA", "dns", d.mta)
	c.date("Arrival-Date", d.Original.Arrived)
	for i := range d.recipients {
		c.print(crlf)
		c.writeRecipient(&d.recipients[i])
	}
}

func (c *composer) writeRecipient(r *Reported) {
	if r.OriginalRecipient != "" {
		kind, address, typed := strings.Cut(r.OriginalRecipient, ";")
		if !typed {
			kind, address = addressType(r.OriginalRecipient), r.OriginalRecipient
		}
		c.address("Original-Recipient", kind, address)
	}
	c.address("Final-Recipient", addressType(r.Address), r.Address)
	c.field("Action", "", r.Action.word())
	c.field("Status", "", r.status().String())
	c.field("Remote-MTA", "dns", r.Server)
	if !r.Reply.IsZero() {
		c.field("Diagnostic-Code", "smtp", r.Reply.String())
	}
	c.date("Last-Attempt-Date", r.Tried)
	if r.Action == ReportDelayed {
		c.date("Will-Retry-Until", r.Until)
	}
}

// field writes a field with or without a type, unless its value is empty.
func (c *composer) field(name, kind, value string) {
	value = asciiText(value)
	if value == "" {
		return
	}
	c.print(name, ": ")
	if kind != "" {
		c.print(kind, "; ")
	}
	c.buf = appendFolded(c.buf, value)
	c.print(crlf)
}

func (c *composer) date(name string, t time.Time) {
	if !t.IsZero() && t.Year() >= 1900 && t.Year() <= 9999 {
		c.print(name, ": ", t.Format(dateForm), crlf)
	}
}

func (c *composer) address(name, kind, address string) {
	kind = strings.TrimSpace(asciiText(kind))
	if strings.EqualFold(kind, "utf-8") {
		address = unicodeText(address)
	}
	c.field(name, kind, address)
}

func addressType(address string) string {
	if isASCII(address) {
		return "rfc822"
	}
	return "utf-8"
}

// unicodeText is utf-8-addr-xtext of RFC 6533 §3, which is ASCII.
func unicodeText(address string) string {
	var b strings.Builder
	for _, r := range address {
		if r > ' ' && r <= '~' && r != '+' && r != '=' && r != '\\' {
			b.WriteRune(r)
		} else {
			b.WriteString(codePoint(r))
		}
	}
	return b.String()
}

func codePoint(r rune) string {
	hex := strings.ToUpper(strconv.FormatInt(int64(r), 16))
	if len(hex) == 1 {
		hex = "0" + hex
	}
	return `\x{` + hex + "}"
}

// asciiText makes one line of text that can be folded anywhere between words,
// whatever it was: each run of white space and control characters becomes a space,
// other characters beyond ASCII are written as code points.
func asciiText(s string) string {
	var b strings.Builder
	word := 0
	for _, r := range oneLine(s, maxDiagnostic) {
		text := string(r)
		if r == ' ' {
			word = 0
		} else if r > '~' {
			text = codePoint(r)
		}
		if word += len(text); word > maxWord {
			b.WriteByte(' ')
			word = len(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

// oneLine makes one line of at most so many octets of text of any origin.
func oneLine(s string, most int) string {
	words := strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return r <= ' ' || r >= 0x7f && r <= 0xa0 || r == '\u2028' || r == '\u2029'
	})
	line := strings.Join(words, " ")
	if len(line) <= most {
		return line
	}
	cut := most
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return strings.TrimRight(line[:cut], " ") + " ..."
}

func (a ReportAction) word() string {
	return [...]string{ReportFailed: "failed", ReportExpired: "failed", ReportDelayed: "delayed", ReportRelayed: "relayed"}[a]
}

// status is the server's enhanced code if it agrees with the action, else what
// can be said without one (RFC 3463).
func (r *Reported) status() smtp.EnhancedCode {
	class := [...]uint16{ReportFailed: 5, ReportExpired: 4, ReportDelayed: 4, ReportRelayed: 2}[r.Action]
	switch {
	case r.Action == ReportExpired:
		return smtp.EnhancedCode{4, 4, 7}
	case r.Reply.Enhanced[0] == class && (r.Reply.Code == 0 || r.Reply.Code/100 == int(class)):
		return r.Reply.Enhanced
	case r.Action == ReportDelayed && r.Reply.IsZero():
		return smtp.EnhancedCode{4, 4, 1}
	}
	return smtp.EnhancedCode{class, 0, 0}
}
