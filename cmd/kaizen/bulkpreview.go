package main

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/message"
)

// previewPages are messages as pages, which a browser shows without a server.
type previewPages struct {
	dir  string
	rows []previewRow
}

type previewRow struct {
	Number            int
	From, To, Subject string
	HTML, Text, Raw   string // names of files; empty if there is none
	Body              string // the text, where there is no HTML
	Attached          []string
}

//go:embed bulkpreview.html
var previewHTML string

var previewIndex = template.Must(template.New("index").Parse(previewHTML))

func newPreviewPages(dir string) (*previewPages, error) {
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	return &previewPages{dir: dir}, nil
}

// add writes a row's message: its HTML, its text, and all of it as it would be
// sent.
func (p *previewPages) add(c bulk.Checked) error {
	m := c.Message
	row := previewRow{Number: c.Row.Number, From: readable(m.From), To: readable(slices.Concat(m.To, m.Cc, m.Bcc)...), Subject: m.Subject, Body: m.Text}
	for i := range m.Attachments {
		if a := &m.Attachments[i]; a.ContentID == "" || m.HTML == "" {
			row.Attached = append(row.Attached, a.Name)
		}
	}
	base := fmt.Sprintf("row-%d", c.Row.Number)
	if m.HTML != "" {
		page, err := withPictures(m)
		if err != nil {
			return err
		}
		row.HTML = base + ".html"
		if err := p.write(row.HTML, func(w io.Writer) error { _, err := io.WriteString(w, page); return err }); err != nil {
			return err
		}
	}
	if m.Text != "" {
		row.Text = base + ".txt"
		if err := p.write(row.Text, func(w io.Writer) error { _, err := io.WriteString(w, m.Text); return err }); err != nil {
			return err
		}
	}
	row.Raw = base + ".eml"
	p.rows = append(p.rows, row)
	return p.write(row.Raw, func(w io.Writer) error { _, err := m.WriteTo(w); return err })
}

// close writes the page that shows them all.
func (p *previewPages) close() error {
	if p == nil {
		return nil
	}
	return p.write("index.html", func(w io.Writer) error { return previewIndex.Execute(w, p.rows) })
}

func (p *previewPages) write(name string, content func(io.Writer) error) error {
	file, err := os.Create(filepath.Join(p.dir, name))
	if err != nil {
		return withCode(exitCantCreate, err)
	}
	if err := content(file); err != nil {
		_ = file.Close() // the first error counts
		return withCode(exitIO, err)
	}
	if err := file.Close(); err != nil {
		return withCode(exitIO, err)
	}
	return nil
}

// withPictures puts inline pictures into the HTML itself: a browser does not
// know cid:.
func withPictures(m *message.Message) (string, error) {
	page := m.HTML
	for i := range m.Attachments {
		a := &m.Attachments[i]
		reference := "cid:" + strings.Trim(a.ContentID, "<>")
		if a.ContentID == "" || !strings.Contains(page, reference) {
			continue
		}
		octets, err := contentOf(a)
		if err != nil {
			return "", err
		}
		kind := a.ContentType
		if kind == "" {
			kind = mime.TypeByExtension(filepath.Ext(a.Name))
		}
		page = strings.ReplaceAll(page, reference, "data:"+kind+";base64,"+base64.StdEncoding.EncodeToString(octets))
	}
	return page, nil
}

func contentOf(a *message.Attachment) ([]byte, error) {
	if a.Open == nil {
		return a.Data, nil
	}
	r, err := a.Open()
	if err != nil {
		return nil, withCode(exitNoInput, err)
	}
	defer r.Close()
	return io.ReadAll(r)
}
