package corpus_test

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/kaizenmail/kaizen/test/corpus"
)

// netmail reads a message with the standard library.
type netmail struct {
	reading corpus.Reading
	words   mime.WordDecoder
	err     error // the first one
}

func readWithNetMail(octets io.Reader) (*corpus.Reading, error) {
	parsed, err := mail.ReadMessage(octets)
	if err != nil {
		return nil, err
	}
	r := netmail{}
	r.readHeader(parsed.Header)
	r.readPart(textproto.MIMEHeader(parsed.Header), parsed.Body, false)
	return &r.reading, r.err
}

func (r *netmail) failed(err error) bool {
	if r.err == nil {
		r.err = err
	}
	return err != nil
}

var mimeFields = map[string]bool{
	"Mime-Version": true, "Content-Type": true, "Content-Transfer-Encoding": true, "Dkim-Signature": true,
}

func (r *netmail) readHeader(header mail.Header) {
	date, err := header.Date()
	r.failed(err)
	r.reading = corpus.Reading{
		Subject: r.decoded(header.Get("Subject")), MessageID: header.Get("Message-Id"),
		Date: date.UTC().Format(time.RFC3339), Header: map[string][]string{},
	}
	taken := map[string]*[]corpus.Mailbox{
		"From": &r.reading.From, "Sender": &r.reading.Sender, "Reply-To": &r.reading.ReplyTo,
		"To": &r.reading.To, "Cc": &r.reading.Cc, "Bcc": &r.reading.Bcc,
	}
	for name, values := range header {
		switch {
		case taken[name] != nil:
			*taken[name] = r.mailboxes(header, name)
		case name != "Subject" && name != "Date" && name != "Message-Id" && !mimeFields[name]:
			for _, value := range values {
				key := strings.ToLower(name)
				r.reading.Header[key] = append(r.reading.Header[key], r.decoded(value))
			}
		}
	}
}

func (r *netmail) decoded(value string) string {
	text, err := r.words.DecodeHeader(value)
	r.failed(err)
	return text
}

func (r *netmail) mailboxes(header mail.Header, name string) (list []corpus.Mailbox) {
	if header[name][0] == "undisclosed-recipients:;" {
		return nil
	}
	parsed, err := header.AddressList(name)
	r.failed(err)
	for _, a := range parsed {
		written := corpus.Address(a)
		at := strings.LastIndexByte(written, '@') + 1
		domain, err := idna.ToUnicode(written[at:])
		r.failed(err)
		list = append(list, corpus.Mailbox{Name: a.Name, Address: written[:at] + domain})
	}
	return list
}

func (r *netmail) readPart(header textproto.MIMEHeader, body io.Reader, related bool) {
	mediaType, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if r.failed(err) {
		return
	}
	if !strings.HasPrefix(mediaType, "multipart/") {
		r.readLeaf(header, mediaType, parameters, transferDecoder(header, body), related)
		return
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	for r.err == nil {
		part, err := parts.NextRawPart()
		if err == io.EOF || r.failed(err) {
			return
		}
		r.readPart(part.Header, part, related || mediaType == "multipart/related")
	}
}

func transferDecoder(header textproto.MIMEHeader, body io.Reader) io.Reader {
	switch header.Get("Content-Transfer-Encoding") {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	}
	return body
}

func (r *netmail) readLeaf(header textproto.MIMEHeader, mediaType string, parameters map[string]string, body io.Reader, related bool) {
	if disposition := header.Get("Content-Disposition"); disposition != "" {
		r.readFile(header, disposition, mediaType, parameters, body, related)
		return
	}
	text, err := io.ReadAll(body)
	switch {
	case r.failed(err):
	case parameters["charset"] != "utf-8":
		r.failed(errors.New("a text in another charset: " + parameters["charset"]))
	case mediaType == "text/plain":
		r.reading.Text = corpus.Lines(string(text))
	case mediaType == "text/html":
		r.reading.HTML = corpus.Lines(string(text))
	case mediaType == "text/calendar":
		r.reading.Calendar, r.reading.Method = corpus.Lines(string(text)), parameters["method"]
	default:
		r.failed(errors.New("neither body nor attachment: " + mediaType))
	}
}

func (r *netmail) readFile(header textproto.MIMEHeader, disposition, mediaType string, parameters map[string]string, body io.Reader, related bool) {
	kind, more, err := mime.ParseMediaType(disposition)
	r.failed(err)
	f := corpus.File{
		Name: more["filename"], OldName: r.decoded(parameters["name"]), Type: mediaType, Parameters: parameters,
		Disposition: kind, ContentID: strings.Trim(header.Get("Content-Id"), "<>"), Related: related,
	}
	delete(parameters, "name")
	f.Size, f.SHA256, err = corpus.Digest(body)
	r.failed(err)
	r.reading.Files = append(r.reading.Files, f)
}
