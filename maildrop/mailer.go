package maildrop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Format is what the folder looks like.
type Format uint8

// The formats.
const (
	// Maildir has folders tmp, new and cur, and one file for each message in new,
	// with local line ends: https://cr.yp.to/proto/maildir.html.
	Maildir Format = iota
	// EML has one file for each message, called after the time and the subject, with
	// CRLF line ends: 2026-11-27T175248.123456Z-hello-world-9f3ac1d2.eml.
	EML
)

// Options say how messages are kept. The zero value is a Maildir that outlives a
// power cut.
type Options struct {
	Format Format
	// Bare leaves out the header fields Return-Path (the sender of the envelope) and
	// X-Envelope-To (one for each recipient) that are put before the message.
	Bare bool
	// NoSync does not wait until a message is on the disk: faster, and a power cut can
	// lose what was said to be accepted.
	NoSync bool
}

// Mailer puts messages into a folder. It implements kaizen.Mailer, and is safe for
// concurrent use.
type Mailer struct {
	dir     string // absolute
	options Options
}

// New returns a mailer for the folder, which is made when it is first needed. A
// relative path is taken from the current directory of now.
func New(dir string, o Options) *Mailer {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return &Mailer{dir: dir, options: o}
}

// Dir is the folder, as an absolute path.
func (m *Mailer) Dir() string { return m.dir }

// Options are those of the mailer.
func (m *Mailer) Options() Options { return m.options }

// String is "maildir:" or "eml:" and the path.
func (m *Mailer) String() string {
	scheme := "maildir:"
	if m.options.Format == EML {
		scheme = "eml:"
	}
	name := scheme + filepath.ToSlash(m.dir)
	if m.options.Bare {
		name += "?bare=true"
	}
	return name
}

// Check makes the folder and reports whether a file can be written there. It
// removes what killed processes left behind more than 36 hours ago.
func (m *Mailer) Check(context.Context) error {
	d, err := m.create()
	if err != nil {
		return err
	}
	m.removeLeftovers(time.Now())
	return d.discard()
}

// Mail puts the message into the folder. It is accepted when its file has its name
// and, unless NoSync, is on the disk. The reply tells the path. An error means
// that there is no file, but for the outcome [smtp.Unknown]; a full disk is a
// temporary 452.
func (m *Mailer) Mail(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
	d, err := m.create()
	if err != nil {
		return smtp.Reply{}, err
	}
	path, err := m.store(ctx, d, s)
	if err != nil {
		return smtp.Reply{}, err
	}
	return smtp.Reply{Code: 250, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "saved as " + path}, nil
}

// store writes the message and gives it its name. Nothing is left of a failure.
func (m *Mailer) store(ctx context.Context, d *draft, s *smtp.Submission) (path string, err error) {
	defer func() {
		if err != nil {
			_ = d.discard() // it cannot be written, and so perhaps not removed either
		}
	}()
	var subject headline
	var to io.Writer = &localWriter{to: d.file, crlf: m.options.Format == EML}
	if !m.options.Bare {
		if _, err := io.WriteString(to, envelopeHeader(&s.Envelope)); err != nil {
			return "", m.failed("write", err)
		}
	}
	if m.options.Format == EML {
		to = io.MultiWriter(to, &subject)
	}
	if err := pour(to, s.Content); err != nil {
		return "", m.failed("write", err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	path, err = d.publish(m.finalName(d, subject.slug()))
	if err != nil {
		return "", m.failed("save", err)
	}
	return path, nil
}

// finalName is what the file is called when it is complete.
func (m *Mailer) finalName(d *draft, slug string) string {
	if m.options.Format == Maildir {
		return filepath.Join(m.dir, "new", d.name)
	}
	if slug != "" {
		slug = "-" + slug
	}
	return filepath.Join(m.dir, d.made.UTC().Format("2006-01-02T150405.000000Z")+slug+"-"+d.unique+".eml")
}

// sourceError is the content's failure, not the folder's.
type sourceError struct{ error }

// Unwrap returns the content's own error.
func (e sourceError) Unwrap() error { return e.error }

// pour copies and tells apart who failed.
func pour(to io.Writer, content io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := content.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return sourceError{err}
		}
	}
}

// failed makes the error for what went wrong in the folder: not sent.
func (m *Mailer) failed(what string, err error) error {
	if source, ok := err.(sourceError); ok {
		return source.error
	}
	e := &smtp.Error{Phase: smtp.PhaseFinal, Class: smtp.ClassConnect, Err: fmt.Errorf("%s the message: %w", what, err)}
	if left := (*leftError)(nil); errors.As(err, &left) {
		e.Outcome = smtp.Unknown
		return e
	}
	if isFull(err) {
		e.Class, e.Outcome = smtp.ClassContent, smtp.Rejected
		e.Reply = smtp.Reply{Code: 452, Enhanced: smtp.EnhancedCode{4, 3, 1}, Text: "the disk is full"}
	}
	return e
}

// create makes the folder, if need be, and an empty file in it.
func (m *Mailer) create() (*draft, error) {
	d, err := m.draft(time.Now())
	if errors.Is(err, os.ErrNotExist) {
		if err = m.makeFolders(); err == nil {
			d, err = m.draft(time.Now())
		}
	}
	if err != nil {
		e := m.failed("store", err).(*smtp.Error)
		e.Phase = smtp.PhaseConnect
		e.Err = fmt.Errorf("make a file: %w", err)
		if errors.Is(err, os.ErrPermission) {
			e.Hint = "give this user the right to write there, or choose another folder"
		}
		return nil, e
	}
	return d, nil
}

func (m *Mailer) makeFolders() error {
	folders := []string{""}
	if m.options.Format == Maildir {
		folders = []string{"cur", "new", "tmp"} // where tmp is, new is
	}
	for _, name := range folders {
		if err := os.MkdirAll(filepath.Join(m.dir, name), 0o700); err != nil {
			return err
		}
	}
	return nil
}
