package message

import (
	"errors"
	"fmt"
	"strings"
)

var errFieldName = errors.New("not a field name: 1 to 76 printable ASCII octets without space and colon")

// ownedFields are written from the fields of a Message.
var ownedFields = [...]struct{ name, from string }{
	{"From", "From"}, {"Sender", "Sender"}, {"Reply-To", "ReplyTo"}, {"To", "To"}, {"Cc", "Cc"},
	{"Bcc", "Bcc"}, {"Resent-Bcc", "Bcc"}, {"Subject", "Subject"}, {"Date", "Date"},
	{"Message-ID", "MessageID"}, {"Return-Path", "Delivery.ReturnPath"}, {"MIME-Version", "Text, HTML and Attachments"},
	{"Content-Type", "Text, HTML and Attachments"}, {"Content-Transfer-Encoding", "Text, HTML and Attachments"},
	{"Content-Disposition", "Attachments"}, {"Content-ID", "Attachments"},
	{"In-Reply-To", "InReplyTo"}, {"References", "References"}, {"Importance", "Importance"}, {"X-Priority", "Importance"},
	{"List-Unsubscribe", "Unsubscribe"}, {"List-Unsubscribe-Post", "Unsubscribe"}, {"DKIM-Signature", "DKIM"},
}

func (p *prepared) checkHeader() error {
	if err := checkText(p.Subject); err != nil {
		return fieldError("Subject", p.Subject, err)
	}
	for i, f := range p.Header {
		if err := checkFieldName(f.Name); err != nil {
			return fieldError(indexed("Header", i), f.Name, err)
		}
		if err := checkText(f.Value); err != nil {
			return fieldError(fmt.Sprintf("Header[%d] (%s)", i, f.Name), f.Value, err)
		}
		p.size += len(f.Name) + 2*len(f.Value) + 8
	}
	return nil
}

func checkFieldName(name string) error {
	if name == "" || len(name) > maxFieldName || !all(name, fieldOctet) {
		return errFieldName
	}
	for _, owned := range ownedFields {
		if strings.EqualFold(name, owned.name) {
			return fmt.Errorf("this field is written from the message's own %s", owned.from)
		}
	}
	return nil
}

// appendHeader writes all but the fields that describe the body.
func (p *prepared) appendHeader(dst []byte) []byte {
	dst = append(dst, "Date: "...)
	dst = p.Date.AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 -0700")
	dst = append(dst, crlf...)
	dst = appendAddressField(dst, "From", p.from)
	if p.Sender != "" {
		dst = appendAddressField(dst, "Sender", p.sender)
	}
	dst = appendAddressField(dst, "Reply-To", p.replyTo...)
	dst = appendAddressField(dst, "To", p.to...)
	dst = appendAddressField(dst, "Cc", p.cc...)
	if len(p.to)+len(p.cc) == 0 && len(p.Bcc) > 0 {
		// A header without any destination is legal and looks like spam.
		dst = append(dst, "To: undisclosed-recipients:;\r\n"...)
	}
	dst = appendMessageIDs(dst, "Message-ID", p.MessageID)
	if p.InReplyTo != "" {
		dst = appendMessageIDs(dst, "In-Reply-To", p.InReplyTo)
	}
	if len(p.references) > 0 {
		dst = appendMessageIDs(dst, "References", p.references...)
	}
	if p.Subject != "" {
		dst = appendTextField(dst, "Subject", p.Subject)
	}
	dst = p.Importance.append(dst)
	dst = p.Unsubscribe.append(dst)
	for _, f := range p.Header {
		dst = appendTextField(dst, f.Name, f.Value)
	}
	return append(dst, "MIME-Version: 1.0\r\n"...)
}

// appendTextField writes an unstructured field (RFC 5322 §3.2.5).
func appendTextField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	if isPlainText(value) {
		dst = appendFolded(dst, value)
	} else {
		dst = appendEncodedWords(dst, value)
	}
	return append(dst, crlf...)
}

// isPlainText reports whether the value reads back the same if it is written
// and folded as it is.
func isPlainText(value string) bool {
	if value == "" {
		return true
	}
	if value[0] == ' ' || value[len(value)-1] == ' ' || strings.Contains(value, "=?") {
		return false
	}
	unbroken := 0
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
		if unbroken++; unbroken > maxUnbroken {
			return false
		}
		if isFoldable(value, i) {
			unbroken = 0
		}
	}
	return true
}

// isFoldable reports whether a line break can go before the octet. It must be a
// space alone, as many readers make one space of all that surrounds a break.
func isFoldable(value string, i int) bool {
	return value[i] == ' ' && i > 0 && i < len(value)-1 && value[i-1] != ' ' && value[i+1] != ' '
}

func appendFolded(dst []byte, value string) []byte {
	col := column(dst)
	if col+len(value) <= foldAt {
		return append(dst, value...)
	}
	for from := 0; from < len(value); {
		to := from + 1
		for to < len(value) && !isFoldable(value, to) {
			to++
		}
		if from > 0 && col+to-from > foldAt {
			dst = append(dst, crlf...)
			col = 0
		}
		dst = append(dst, value[from:to]...)
		col += to - from
		from = to
	}
	return dst
}
