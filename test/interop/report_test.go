package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// report is the table of what was tried.
type report struct {
	mu       sync.Mutex // guards the map
	products map[string]*productReport
}

// productReport is used by one goroutine.
type productReport struct {
	name, version string
	offered       map[string]smtp.Capabilities // by link
	tight         smtp.Capabilities            // of the server with a limit that is being tried
	knobs         knobs
	cells         map[place]cell
}

// place is a cell of some table, by its row and column.
type place struct{ row, column string }

type cell struct {
	result string
	notes  []string // footnotes
}

var (
	levelColumns = []string{smtp.LevelLockStep.String(), smtp.LevelGroup.String(), smtp.LevelLookAhead.String(), "BDAT"}
	mechanisms   = []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}
)

func newReport() *report { return &report{products: map[string]*productReport{}} }

func (r *report) of(name string) *productReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.products[name]
}

// introduce notes what the server says of itself, once it is up.
func (r *report) introduce(t *testing.T, w *workshop, name string, in *instance) {
	t.Helper()
	p := &productReport{name: name, version: in.version, knobs: in.knobs, offered: map[string]smtp.Capabilities{}, cells: map[place]cell{}}
	for _, k := range links {
		p.offered[k.name] = k.offers(t, w, in)
	}
	r.mu.Lock()
	r.products[name] = p
	r.mu.Unlock()
}

// note explains a cell.
func (p *productReport) note(row, column, text string) {
	c := p.cells[place{row, column}]
	if !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
	p.cells[place{row, column}] = c
}

// result fills a cell once its test has ended.
func (p *productReport) result(t *testing.T, row, column string) {
	c := p.cells[place{row, column}]
	if c.result = "ok"; t.Failed() {
		c.result = "**FAIL**"
	}
	p.cells[place{row, column}] = c
}

// absent fills the cells of what the server does not have.
func (p *productReport) absent(row, why string, columns ...string) {
	for _, column := range columns {
		p.cells[place{row, column}] = cell{"–", []string{why}}
	}
}

// complete fails where a cell is empty or has a result that nothing explains.
func (p *productReport) complete(t *testing.T, row, column string) {
	c := p.cells[place{row, column}]
	if c.result == "" || c.result != "ok" && len(c.notes) == 0 {
		t.Errorf("%s, %s, %s: %q without an explanation", p.name, row, column, c.result)
	}
}

// mechanisms are those that were tried on some link.
func (p *productReport) mechanisms() []string {
	return slices.DeleteFunc(slices.Clone(mechanisms), func(m string) bool {
		return !slices.ContainsFunc(links, func(k link) bool { return slices.Contains(p.offered[k.name].Auth, m) })
	})
}

// advertised is the server's row among the servers.
func (p *productReport) advertised() string {
	plain, secure := p.offered["plain"], p.offered["implicit TLS"]
	added := slices.DeleteFunc(secure.Keywords(), func(k string) bool { return slices.Contains(plain.Keywords(), k) })
	if len(added) == 0 {
		added = []string{"nothing"}
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", p.name, p.version, strings.Join(plain.Keywords(), ", "), strings.Join(added, ", "))
}
