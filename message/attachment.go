package message

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"path/filepath"
	"slices"
	"strings"
)

// Attachment is a file that goes with a message. Its content is Data, or what
// Open gives. [AttachFile], [AttachFS], [AttachReaderAt] and [AttachReader] make
// one whose content is read in pieces when the message is written.
type Attachment struct {
	// Name is the file name the recipient sees.
	Name string
	// ContentType is the media type, with parameters if it needs some. Default:
	// by the extension of Name, else application/octet-stream.
	ContentType string
	// ContentID makes it an image (or the like) that HTML shows: ContentID
	// "logo" is <img src="cid:logo">.
	ContentID string
	// Inline asks readers to show it where it stands, behind the body, not as a
	// file to be saved. One with a ContentID is inline anyway.
	Inline bool

	Data []byte
	// Open, if set, is called each time the message is written, and must give
	// the same octets each time. It is read in pieces and closed.
	Open func() (io.ReadCloser, error)

	probe func() (size int64, err error) // sees that Open will do; nil if nothing is known before
	once  bool                           // Open works once
}

var (
	errTwoContents = errors.New("has both Data and Open")
	errContentID   = errors.New("not printable ASCII without spaces and angle brackets")
	errMediaType   = errors.New("not of the form type/subtype")
	errComposite   = errors.New("multipart and message types cannot be attached as such: use application/octet-stream")
)

// part is an attachment that has been checked.
type part struct {
	*Attachment
	label      string // what errors call it
	mediaType  string
	parameters map[string]string
}

func (p *prepared) parseAttachments() error {
	for i := range p.Attachments {
		a := &part{Attachment: &p.Attachments[i], label: indexed("Attachments", i)}
		if err := a.parse(); err != nil {
			return err
		}
		size, err := a.size()
		if err != nil {
			return fieldError(a.label, a.Name, err)
		}
		if a.once && len(p.DKIM) > 0 {
			return fieldError(a.label, a.Name, errSignOnce)
		}
		encoded := min(size, 1<<40) / base64Line * 78
		p.size += int(encoded) + 512
		p.least += encoded
		p.once = p.once || a.once
		if a.ContentID != "" && p.html != "" {
			p.inline = append(p.inline, a)
		} else {
			p.attached = append(p.attached, a)
		}
	}
	return nil
}

func (a *part) parse() error {
	if a.Data != nil && a.Open != nil {
		return fieldError(a.label, a.Name, errTwoContents)
	}
	if err := checkText(a.Name); err != nil {
		return fieldError(a.label+".Name", a.Name, err)
	}
	if id := bareID(a.ContentID); a.ContentID != "" && (!isToken(id) || len(id) > maxUnbroken) {
		return fieldError(a.label+".ContentID", a.ContentID, errContentID)
	}
	if err := a.parseType(); err != nil {
		return fieldError(a.label+".ContentType", a.ContentType, err)
	}
	return nil
}

func (a *part) parseType() (err error) {
	if a.ContentType == "" {
		a.mediaType = typeByName(a.Name)
		return nil
	}
	if err := checkText(a.ContentType); err != nil {
		return err
	}
	if a.mediaType, a.parameters, err = mime.ParseMediaType(a.ContentType); err != nil {
		return err
	}
	kind, subtype, slash := strings.Cut(a.mediaType, "/")
	if !slash || subtype == "" || len(a.mediaType) > maxFieldName {
		return errMediaType
	}
	if kind == "multipart" || kind == "message" {
		return errComposite
	}
	for name, value := range a.parameters {
		if err := checkText(value); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
		if len(name) > 40 {
			return fmt.Errorf("parameter %s: name over 40 octets", name)
		}
	}
	return nil
}

// typeByName guesses from the extension, without the charset that the table of
// the system claims for text and nobody checked.
func typeByName(name string) string {
	guess, _, _ := strings.Cut(mime.TypeByExtension(filepath.Ext(name)), ";")
	if guess == "" || strings.HasPrefix(guess, "message/") || strings.HasPrefix(guess, "multipart/") {
		return "application/octet-stream"
	}
	return guess
}

func (c *composer) writeAttachment(a *part) {
	c.buf = a.appendHeader(c.buf)
	if a.Open == nil {
		c.writeBase64(a.Data)
		return
	}
	r, err := a.Open()
	if err != nil {
		c.fail(a, err)
		return
	}
	if err := c.copyBase64(r); err != nil {
		c.fail(a, err)
	}
	r.Close()
}

func (c *composer) fail(a *part, err error) {
	if c.err == nil {
		c.err = fieldError(a.label, a.Name, err)
	}
}

// copyBase64 returns what r said; what the writer said is in c.err.
func (c *composer) copyBase64(r io.Reader) error {
	if c.chunk == nil {
		c.chunk = make([]byte, base64Line*256)
	}
	for c.err == nil {
		n, err := io.ReadFull(r, c.chunk)
		c.writeBase64(c.chunk[:n])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *part) appendHeader(dst []byte) []byte {
	dst = append(append(dst, "Content-Type: "...), a.mediaType...)
	for _, name := range a.parameterNames() {
		dst = appendParameter(dst, name, a.parameters[name])
	}
	if _, given := a.parameters["name"]; !given && a.Name != "" {
		dst = appendOldName(dst, a.Name)
	}
	dst = append(dst, "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "...)
	if a.Inline || a.ContentID != "" {
		dst = append(dst, "inline"...)
	} else {
		dst = append(dst, "attachment"...)
	}
	if a.Name != "" {
		dst = appendParameter(dst, "filename", a.Name)
	}
	if a.ContentID != "" {
		dst = append(append(append(dst, "\r\nContent-ID: <"...), bareID(a.ContentID)...), '>')
	}
	return append(dst, "\r\n\r\n"...)
}

func (a *part) parameterNames() []string {
	names := make([]string, 0, len(a.parameters))
	for name := range a.parameters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
