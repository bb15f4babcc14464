package interop_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// Why a cell is not a plain "ok". What concerns one server alone stands with
// the test that found it.
const (
	noPipelining = "The server does not offer PIPELINING: whatever the client may do, it goes in lock-step."
	noChunking   = "The server does not offer CHUNKING: asked for BDAT, the client uses DATA."
	noAuth       = "The server does not offer AUTH on this link."
	noMechanism  = "The server does not offer this mechanism on this link."
)

const preface = `# Real servers

Written by ` + "`make interop`" + `; do not edit. The test behind it (test/interop) starts Postfix, Exim and OpenSMTPD from Debian %s, nodemailer's smtp-server and go-smtp's server on the loopback interface, the first three in root folders of their own, and sends to each:

- through the pool, 200 messages over 5 connections: the corpus (test/corpus) and what is hard on the wire (5 MB, lines of 998 octets, leading dots, 8-bit octets, addresses beyond ASCII, no body),
- with ` + "`kaizen send`" + `, a message for each call, raw and composed,
- with ` + "`kaizen bulk`" + `, a mail merge of 50 rows.

What arrived is compared octet by octet with what was sent, but for the trace fields that servers put in front (Received, Return-Path, Delivered-To, X-Original-To, Envelope-to) and for line ends: Postfix, Exim and OpenSMTPD keep LF, and some write the empty line behind a header that was sent without one. Each message must arrive once, over a link as secure as was asked for, and the server's log must not complain. "ok" means all of this, in all three ways; BDAT is tried through the pool alone, since the programs use it only for what cannot go otherwise. A number leads to a note.

The program and the library log in with the best mechanism offered; the others are tried one by one further down, where only what a server has on some link is listed.

LMTP is tried apart, with Dovecot of the same Debian, over TCP, STARTTLS and a UNIX socket, and with go-smtp's server: an unknown mailbox and a full one among good ones, at every level, by DATA and BDAT. Each recipient must be told the reply to its own copy, and the good ones must have it once.

Accounts of several servers are tried apart, too: Postfix is stopped, killed and frozen in the middle of 300 messages a second, sent directly and from a queue, with a second Postfix or OpenSMTPD to stand in; see [servers.md](servers.md#measured).
`

// page is the text of docs/interop.md while it is written.
type page struct {
	out   strings.Builder
	notes []string
}

func (p *page) row(cells ...string) { p.out.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

func (p *page) head(title string, columns ...string) {
	p.out.WriteString("\n## " + title + "\n\n")
	p.row(columns...)
	p.row(slices.Repeat([]string{"---"}, len(columns))...)
}

// cell writes a result with the numbers of its notes.
func (p *page) cell(c cell) string {
	text := c.result
	for _, note := range c.notes {
		i := slices.Index(p.notes, note)
		if i < 0 {
			i = len(p.notes)
			p.notes = append(p.notes, note)
		}
		text += fmt.Sprintf(" [%d](#notes)", i+1)
	}
	return text
}

// conclude checks that nothing was left out, prints the tables, and keeps them
// when all of it was tried and went well.
func (r *report) conclude(t *testing.T, w *workshop) {
	var all []*productReport
	for _, p := range products {
		if one := r.of(p.name); one != nil {
			all = append(all, one)
		}
	}
	text := write(t, all)
	t.Log("\n" + text)
	if short() || t.Failed() || len(all) < len(products) {
		t.Log("docs/interop.md is written when the long form has succeeded")
		return
	}
	must(t, os.WriteFile("../../docs/interop.md", []byte(text), 0o644))
}

func write(t *testing.T, all []*productReport) string {
	p := &page{}
	fmt.Fprintf(&p.out, preface, release())
	p.head("Servers", "server", "version", "offers", "over TLS also")
	for _, one := range all {
		p.out.WriteString(one.advertised() + "\n")
	}
	p.head("Levels", append([]string{"server", "link"}, levelColumns...)...)
	for _, one := range all {
		p.table(t, one, levelRows(), levelColumns)
	}
	p.head("Logins", "server", "mechanism", "plain", "STARTTLS", "implicit TLS")
	for _, one := range all {
		p.table(t, one, one.mechanisms(), []string{"plain", "STARTTLS", "implicit TLS"})
	}
	p.behaviour(t, all)
	p.out.WriteString("\n## Notes\n\n")
	for i, note := range p.notes {
		fmt.Fprintf(&p.out, "%d. %s\n", i+1, note)
	}
	return p.out.String()
}

func (p *page) table(t *testing.T, one *productReport, rows, columns []string) {
	for _, row := range rows {
		cells := []string{one.name, row}
		for _, column := range columns {
			one.complete(t, row, column)
			cells = append(cells, p.cell(one.cells[place{row, column}]))
		}
		p.row(cells...)
	}
}

// behaviour has the servers side by side.
func (p *page) behaviour(t *testing.T, all []*productReport) {
	columns := []string{"what"}
	for _, one := range all {
		columns = append(columns, one.name)
	}
	p.head("Extensions, refusals and limits", columns...)
	for _, row := range behaviours {
		cells := []string{row}
		for _, one := range all {
			one.complete(t, row, "")
			cells = append(cells, p.cell(one.cells[place{row, ""}]))
		}
		p.row(cells...)
	}
}

// levelRows are the links tried in this form of the test.
func levelRows() (rows []string) {
	for _, k := range links {
		for _, login := range []bool{false, true} {
			if tried(k, login) {
				rows = append(rows, rowOf(k, login))
			}
		}
	}
	return rows
}

// tried: the short form has plain without a login, and TLS with one.
func tried(k link, login bool) bool { return !short() || login == (k.tls != smtp.TLSNone) }

func rowOf(k link, login bool) string {
	if login {
		return k.name + ", AUTH"
	}
	return k.name
}
