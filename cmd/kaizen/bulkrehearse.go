package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"github.com/kaizenmail/kaizen/internal/bulk"
)

// rehearsal is what became clear without sending anything.
type rehearsal struct {
	Rows  int      `json:"rows"`
	Bad   int      `json:"bad"`
	Twins int      `json:"twins"`
	Wrong []string `json:"wrong,omitempty"` // the first of the bad rows, in words
}

const shownWrong = 20

// rehearse makes every row's message and shows the first ones. A broken table
// is found, as well as a row without a value, a bad address, a missing file.
func (b *bulkCommand) rehearse(ctx context.Context, letter *bulk.Letter) error {
	table, closeTable, err := b.input.open(b.app.stdin)
	if err != nil {
		return err
	}
	defer closeTable()
	var pages *previewPages
	if b.preview != "" {
		if pages, err = newPreviewPages(b.preview); err != nil {
			return err
		}
	}
	var r rehearsal
	var failed error
	err = bulk.Check(ctx, table, letter, func(c bulk.Checked) bool {
		r.add(c)
		if r.Rows <= b.first && c.Err == nil {
			failed = b.show(c, pages)
		}
		return failed == nil && (b.dryRun || r.Rows < b.first)
	})
	if err = errors.Join(failed, b.input.wrong(err)); err != nil {
		return err
	}
	if err := pages.close(); err != nil {
		return err
	}
	return b.reportRehearsal(&r, pages)
}

func (r *rehearsal) add(c bulk.Checked) {
	r.Rows++
	if c.Twin {
		r.Twins++
	}
	if c.Err == nil {
		return
	}
	if r.Bad++; r.Bad <= shownWrong {
		r.Wrong = append(r.Wrong, fmt.Sprintf("row %d (line %d): %s", c.Row.Number, c.Row.Line, oneLine(c.Err)))
	}
}

// oneLine is an error without its line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// show writes a row's message to the page and, on a dry run, prints it.
func (b *bulkCommand) show(c bulk.Checked, pages *previewPages) error {
	if pages != nil {
		if err := pages.add(c); err != nil {
			return err
		}
	}
	if !b.dryRun || b.json {
		return nil
	}
	m, out := c.Message, b.app.stdout
	fmt.Fprintln(out, b.app.paint(out, "1", fmt.Sprintf("Row %d", c.Row.Number)))
	for _, field := range []struct{ name, value string }{
		{"From", readable(m.From)}, {"Reply-To", readable(m.ReplyTo...)}, {"To", readable(m.To...)},
		{"Cc", readable(m.Cc...)}, {"Bcc", readable(m.Bcc...)}, {"Subject", m.Subject},
	} {
		if field.value != "" {
			fmt.Fprintf(out, "%-9s %s\n", field.name+":", printable(field.value))
		}
	}
	for _, h := range m.Header {
		fmt.Fprintf(out, "%-9s %s\n", h.Name+":", printable(h.Value))
	}
	for i := range m.Attachments {
		fmt.Fprintf(out, "%-9s %s\n", "Attached:", printable(m.Attachments[i].Name))
	}
	text := m.Text
	if text == "" {
		text = m.HTML
	}
	_, err := fmt.Fprintf(out, "\n%s\n\n", strings.TrimRight(text, "\r\n"))
	return err
}

// readable lists addresses with their names as people write them, not as a
// header does.
func readable(addresses ...string) string {
	list := make([]string, len(addresses))
	for i, text := range addresses {
		list[i] = text
		if a, err := mail.ParseAddress(text); err == nil && a.Name != "" {
			list[i] = a.Name + " <" + a.Address + ">"
		} else if err == nil {
			list[i] = a.Address
		}
	}
	return strings.Join(list, ", ")
}

func (b *bulkCommand) reportRehearsal(r *rehearsal, pages *previewPages) error {
	var failed error
	if r.Bad > 0 {
		failed = withCode(exitData, fmt.Errorf("%s cannot be sent", plural(r.Bad, "row")))
	}
	if b.json {
		return errors.Join(b.app.printJSON(r), failed)
	}
	for _, line := range r.Wrong {
		fmt.Fprintln(b.app.stdout, b.app.bad(line))
	}
	if r.Bad > len(r.Wrong) {
		fmt.Fprintf(b.app.stdout, "and %d more\n", r.Bad-len(r.Wrong))
	}
	if b.dryRun {
		fmt.Fprintf(b.app.stdout, "%s checked: %d can be sent, %d cannot\n", plural(r.Rows, "row"), r.Rows-r.Bad, r.Bad)
	}
	if r.Twins > 0 {
		fmt.Fprintf(b.app.stdout, "%s the recipients of an earlier row; --unique leaves those out\n", pluralHas(r.Twins, "row"))
	}
	if pages != nil {
		fmt.Fprintf(b.app.stdout, "Pages: %s\n", filepath.Join(pages.dir, "index.html"))
	}
	return failed
}

func pluralHas(n int, noun string) string {
	if n == 1 {
		return plural(n, noun) + " has"
	}
	return plural(n, noun) + " have"
}

// makeFolder makes a folder unless it is there.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return withCode(exitCantCreate, err)
	}
	return nil
}
