// Package compose writes the same letter with message, go-mail and go-message,
// so that one run of its benchmarks shows them side by side:
//
//	go test -bench . ./compose
package compose

import (
	"bytes"
	"crypto"
	"io"
	"strings"
	"time"

	gomessage "github.com/emersion/go-message/mail"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/wneessen/go-mail"

	"github.com/kaizenmail/kaizen/bench/driver"
	"github.com/kaizenmail/kaizen/message"
)

// writers write a letter as an application does that has a new one for each
// recipient.
var writers = []struct {
	name  string
	write func(w io.Writer, letter driver.Message, by *signer) error // by is nil: no signature
}{
	{"kaizen", writeOurs}, {"go-mail", writeGoMail}, {"go-message", writeGoMessage},
}

const (
	domain   = "example.com"
	selector = "bench"
)

// signer is a private key, as each wants it.
type signer struct {
	crypto.Signer
	key message.DKIMKey
}

// letters are one in English, and one that has to be encoded.
func letters() map[string]driver.Message {
	english, german := driver.Letter(), driver.Letter()
	german.Subject = "Ihre Bestellung fährt zu Ihnen"
	german.Text = strings.ReplaceAll(german.Text, "Good news", "Schöne Grüße")
	german.HTML = strings.ReplaceAll(german.HTML, "Good news", "Schöne Grüße")
	return map[string]driver.Message{"english": english, "german": german}
}

func writeOurs(w io.Writer, letter driver.Message, by *signer) error {
	m := message.Message{From: driver.Sender, To: []string{driver.Recipient}, Subject: letter.Subject, Text: letter.Text, HTML: letter.HTML}
	if by != nil {
		m.DKIM = []message.DKIM{{Domain: domain, Selector: selector, Key: by.key}}
	}
	_, err := m.WriteTo(w)
	return err
}

func writeGoMail(w io.Writer, letter driver.Message, by *signer) error {
	m := mail.NewMsg()
	if err := m.From(driver.Sender); err != nil {
		return err
	}
	if err := m.To(driver.Recipient); err != nil {
		return err
	}
	m.Subject(letter.Subject)
	m.SetDate()
	m.SetMessageID()
	m.SetBodyString(mail.TypeTextPlain, letter.Text)
	m.AddAlternativeString(mail.TypeTextHTML, letter.HTML)
	if by != nil {
		m.SetDKIM(mail.NewDKIMSigner(domain, selector, by.Signer))
	}
	_, err := m.WriteTo(w)
	return err
}

func writeGoMessage(w io.Writer, letter driver.Message, by *signer) error {
	if by == nil {
		return goMessage(w, letter)
	}
	var b bytes.Buffer
	if err := goMessage(&b, letter); err != nil {
		return err
	}
	return dkim.Sign(w, &b, &dkim.SignOptions{Domain: domain, Selector: selector, Signer: by.Signer,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed})
}

func goMessage(w io.Writer, letter driver.Message) error {
	var h gomessage.Header
	h.SetAddressList("From", []*gomessage.Address{{Address: driver.Sender}})
	h.SetAddressList("To", []*gomessage.Address{{Address: driver.Recipient}})
	h.SetSubject(letter.Subject)
	h.SetDate(time.Now())
	if err := h.GenerateMessageID(); err != nil {
		return err
	}
	body, err := gomessage.CreateInlineWriter(w, h)
	if err != nil {
		return err
	}
	for _, version := range []struct{ kind, text string }{{"text/plain", letter.Text}, {"text/html", letter.HTML}} {
		var head gomessage.InlineHeader
		head.SetContentType(version.kind, map[string]string{"charset": "utf-8"})
		part, err := body.CreatePart(head)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(part, version.text); err != nil {
			return err
		}
		if err := part.Close(); err != nil {
			return err
		}
	}
	return body.Close()
}
