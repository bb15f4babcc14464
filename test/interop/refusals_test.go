package interop_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// The rows of the last table.
const (
	eightBit         = "8-bit octets (8BITMIME)"
	beyondASCII      = "address beyond ASCII (SMTPUTF8)"
	binary           = "any octets at all (BINARYMIME)"
	refusedRecipient = "a refused recipient among good ones"
	noRecipient      = "no good recipient, BDAT asked for, and a message after it"
	wrongPassword    = "a wrong password"
	tooLarge         = "a message over SIZE, known beforehand"
	tooLargeStream   = "a message over SIZE, found out on the way"
	benched          = "kaizen bench, 200 composed messages through 2 connections"
	manyRecipients   = "1001 recipients, 50 at a time"
	connectionLimit  = "two connections allowed, five wanted"
	messageLimit     = "seven messages per connection allowed"
	quietLog         = "the server's log has no complaint"
)

var behaviours = []string{eightBit, beyondASCII, binary, refusedRecipient, noRecipient, wrongPassword, tooLarge,
	tooLargeStream, benched, quietLog, manyRecipients, connectionLimit, messageLimit}

// starttls with a login is how most programs send.
var starttls = links[1]

func checkRefusals(t *testing.T, w *workshop, r *productReport, in *instance) {
	for row, check := range map[string]func(*testing.T, *workshop, *productReport, *instance){
		eightBit: checkEightBit, beyondASCII: checkBeyondASCII, binary: checkBinary,
		refusedRecipient: checkRefusedRecipient, noRecipient: checkNoRecipient, wrongPassword: checkWrongPassword,
		tooLarge: checkTooLarge, tooLargeStream: checkTooLargeStream, benched: checkBench,
	} {
		t.Run(row, func(t *testing.T) {
			defer r.result(t, row, "")
			check(t, w, r, in)
		})
	}
}

// sendOne sends a letter over a connection of its own and looks at it.
func sendOne(t *testing.T, w *workshop, in *instance, l *letter, change func(*kaizen.Prepared)) {
	t.Helper()
	s := session{starttls, true}
	p := l.prepared(t)
	change(p)
	if _, err := kaizen.DialAndSend(t.Context(), s.account(w, in, smtp.LevelAuto), p); err != nil {
		t.Errorf("%s: %v", l.name, err)
		return
	}
	in.expectLetters(t, []*letter{l}, s)
}

func unchanged(*kaizen.Prepared) {}

func checkEightBit(t *testing.T, w *workshop, r *productReport, in *instance) {
	if !r.offered[starttls.name].EightBitMIME {
		t.Fatal("no server of ours is without 8BITMIME")
	}
	sendOne(t, w, in, number([]*letter{raw("8-bit octets", everyOctet())})[0], unchanged)
}

func checkBeyondASCII(t *testing.T, w *workshop, r *productReport, in *instance) {
	l := raw("address beyond ASCII", "Grüße\r\n")
	l.to, l.utf8 = "bob+zürich@"+domain, true
	number([]*letter{l})
	if r.offered[starttls.name].SMTPUTF8 {
		sendOne(t, w, in, l, unchanged)
		return
	}
	r.note(beyondASCII, "", "The server does not offer SMTPUTF8: the client refuses the recipient before anything is sent, and says why.")
	_, err := kaizen.DialAndSend(t.Context(), session{starttls, true}.account(w, in, smtp.LevelAuto), l.prepared(t))
	var failed *kaizen.Error
	if !errors.As(err, &failed) || failed.Outcome != smtp.NotSent || !strings.Contains(err.Error(), "SMTPUTF8") {
		t.Errorf("got %v, want a refusal that names SMTPUTF8", err)
	}
}

// checkBinary sends NUL, bare CR and bare LF, which no other way can carry.
func checkBinary(t *testing.T, w *workshop, r *productReport, in *instance) {
	everything := "\x00\r\x00\n\x00.\r.\n.\r\n" + everyOctet() + "no line end"
	l := number([]*letter{raw("binary", everything)})[0]
	ask := func(p *kaizen.Prepared) { p.Binary = true }
	if r.offered[starttls.name].BinaryMIME {
		sendOne(t, w, in, l, ask)
		return
	}
	r.note(binary, "", "The server does not offer BINARYMIME: the client refuses such a content before anything is sent, and says why.")
	p := l.prepared(t)
	ask(p)
	_, err := kaizen.DialAndSend(t.Context(), session{starttls, true}.account(w, in, smtp.LevelAuto), p)
	var failed *kaizen.Error
	if !errors.As(err, &failed) || failed.Outcome != smtp.NotSent || !strings.Contains(err.Error(), "BINARYMIME") {
		t.Errorf("got %v, want a refusal that names BINARYMIME", err)
	}
}

func checkRefusedRecipient(t *testing.T, w *workshop, _ *productReport, in *instance) {
	said, code := w.kaizen(t, password, "send", "--server", starttls.url(in, true, smtp.LevelAuto), "--from", sender,
		"--to", "bob@"+domain+",nobody@"+domain+",eve@"+domain, "--subject", "refused", "--text", "x")
	if code != 67 {
		t.Errorf("ended with %d", code)
	}
	for _, line := range []string{`(?m)^rejected +nobody@\S+ +5[0-9][0-9] `, `(?m)^accepted +bob@`, `(?m)^accepted +eve@`} {
		if !regexp.MustCompile(line).MatchString(said) {
			t.Errorf("said nothing like %s:\n%s", line, said)
		}
	}
	in.collect(t, "bob", 1)
	in.collect(t, "eve", 1)
}

// checkNoRecipient: a server need not swallow the octets of a BDAT that nobody
// shall get (go-smtp issue 315), and would take them for commands. So none are
// sent before some recipient was accepted.
func checkNoRecipient(t *testing.T, w *workshop, _ *productReport, in *instance) {
	s := session{starttls, true}
	account := s.account(w, in, smtp.LevelAuto)
	account.Limits.Connections = 1
	client := kaizen.New(kaizen.Config{})
	both := number([]*letter{raw("to nobody", "QUIT\r\n"), raw("after it", "x\r\n")})
	both[0].to = "nobody@" + domain
	for _, l := range both {
		p := l.prepared(t)
		p.Chunking = true
		_, err := client.Send(t.Context(), account, p)
		if l == both[0] && !errors.Is(err, smtp.ClassRecipient) || l == both[1] && err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	for _, stats := range client.Stats() {
		if stats.Dialled != 1 {
			t.Errorf("%d connections, want one", stats.Dialled)
		}
	}
	must(t, client.Close())
	in.expectLetters(t, both[1:], s)
}

func checkWrongPassword(t *testing.T, w *workshop, _ *productReport, in *instance) {
	said, code := w.kaizen(t, "not-hers-at-all", "send", "--server", starttls.url(in, true, smtp.LevelAuto), "--from", sender,
		"--to", "bob@"+domain, "--subject", "wrong", "--text", "x")
	if code != 77 {
		t.Errorf("ended with %d:\n%s", code, said)
	}
	in.collect(t, "bob", 0)
}

func checkTooLarge(t *testing.T, w *workshop, _ *productReport, in *instance) {
	file := filepath.Join(t.TempDir(), "large.bin")
	must(t, os.WriteFile(file, make([]byte, 16_000_000), 0o600))
	said, code := w.kaizen(t, password, "send", "--server", starttls.url(in, true, smtp.LevelAuto), "--from", sender,
		"--to", "bob@"+domain, "--subject", "large", "--text", "x", "--attach", file)
	if code != 65 || !strings.Contains(said, "the server takes") {
		t.Errorf("ended with %d:\n%s", code, said)
	}
	in.collect(t, "bob", 0)
}

// checkTooLargeStream sends what nobody knew the size of: the server refuses it
// when it has seen too much.
func checkTooLargeStream(t *testing.T, w *workshop, _ *productReport, in *instance) {
	account := session{starttls, true}.account(w, in, smtp.LevelAuto)
	client := kaizen.New(kaizen.Config{})
	line := []byte(strings.Repeat("x", 98) + "\r\n")
	header := number([]*letter{raw("large", "")})[0].octets
	p := &kaizen.Prepared{Envelope: kaizen.Envelope{From: sender, To: []kaizen.Recipient{{Address: "bob@" + domain}}},
		Content: smtp.Reader(io.MultiReader(bytes.NewReader(header), &repeated{line: line, left: 21_000_000}))}
	_, err := client.Send(t.Context(), account, p)
	var failed *kaizen.Error
	if !errors.As(err, &failed) || failed.Class != smtp.ClassSize || failed.Outcome != smtp.Rejected {
		t.Errorf("got %v, want a rejection for its size", err)
	}
	after := number([]*letter{raw("after it", "x\r\n")})[0]
	if _, err := client.Send(t.Context(), account, after.prepared(t)); err != nil {
		t.Errorf("the message after it: %v", err)
	}
	must(t, client.Close())
	in.expectLetters(t, []*letter{after}, session{starttls, true})
}

// repeated gives a line over and over.
type repeated struct {
	line []byte
	left int // octets
	rest []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.left <= 0 {
			return 0, io.EOF
		}
		r.left -= len(r.line)
		r.rest = r.line
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// checkBench lets the program compose messages at full speed.
func checkBench(t *testing.T, w *workshop, _ *productReport, in *instance) {
	w.accepts(t, "bench", "--server", links[0].url(in, false, smtp.LevelAuto), "--messages", "200", "--connections", "2",
		"--concurrency", "20", "--rate", "none", "--compose", "--rcpt", "eve@"+domain, "--from", sender)
	seen := map[string]bool{}
	id := regexp.MustCompile(`(?mi)^Message-ID:\s*(\S+)`)
	for _, got := range in.collect(t, "eve", 200) {
		if m := id.FindSubmatch(got); m != nil {
			seen[string(m[1])] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d different messages of 200", len(seen))
	}
}
