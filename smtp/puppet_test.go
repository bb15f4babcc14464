package smtp_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// Octets of a puppet's part that are no text.
const (
	puppetWaits   = 0x00 // until the client waits
	puppetCloses  = 0x01
	puppetResets  = 0x02
	puppetPauses  = 0x03 // 40 s: longer than a command may take
	puppetBehaves = 0x04 // answers the oldest command that has no answer, as it should
	puppetEchoes  = 0x05 // says the client's latest line
	puppetBetrays = 0x06 // says the password
	puppetRants   = 0x07 // a reply without end
	puppetRambles = 0x08 // 100 KB without a line end
)

// puppet is a server that says what its part wants, whatever it was asked.
type puppet struct {
	conn     *smtptest.PipeConn
	password string
	lmtp     bool
	said     []byte // only the puppet's goroutine, until it has ended
	ranted   int
	guessed  bool // it said the password before any login

	mu    sync.Mutex
	heard []byte
}

// play says the part, and then nothing more until the client is gone.
func (p *puppet) play(part []byte) {
	var ears sync.WaitGroup
	ears.Go(p.listen)
	for _, octet := range part {
		if !p.step(octet) {
			break
		}
	}
	ears.Wait()
	p.conn.Close()
}

func (p *puppet) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		p.heard = append(p.heard, buf[:n]...)
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *puppet) step(octet byte) (more bool) {
	switch octet {
	case puppetWaits:
		<-time.After(time.Millisecond) // in a bubble: until everybody waits
	case puppetPauses:
		<-time.After(40 * time.Second)
	case puppetCloses:
		p.conn.CloseWrite()
		return false
	case puppetResets:
		p.conn.Reset()
		return false
	case puppetBehaves:
		<-time.After(time.Millisecond)
		return p.say(p.dialogue().proper())
	case puppetEchoes:
		return p.say(p.latestLine())
	case puppetBetrays:
		return p.say(p.password)
	case puppetRants:
		return p.rant()
	case puppetRambles:
		return p.say(strings.Repeat("x", 100<<10))
	default:
		return p.say(string(octet))
	}
	return true
}

func (p *puppet) say(text string) bool {
	p.conn.SetWriteDeadline(time.Now().Add(time.Hour)) // the client may have stopped reading
	n, err := p.conn.Write([]byte(text))
	p.said = append(p.said, text[:n]...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.guessed && bytes.Contains(p.said, []byte(p.password)) {
		p.guessed = !bytes.Contains(p.heard, []byte("AUTH "))
	}
	return err == nil
}

// rant goes on until the client has enough.
func (p *puppet) rant() bool {
	for range 1 << 20 {
		p.ranted += 20
		if !p.say("250-and another one\r\n") {
			return false
		}
	}
	return false
}

func (p *puppet) latestLine() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := strings.Split(strings.TrimSuffix(string(p.heard), "\r\n"), "\r\n")
	return lines[len(lines)-1]
}

func (p *puppet) dialogue() dialogue {
	p.mu.Lock()
	defer p.mu.Unlock()
	return takeApart(bytes.Clone(p.heard), p.said, p.lmtp)
}

// dialogue is both sides of a session, taken apart by counting alone: reply 0 is
// the greeting, reply n answers turn n-1 (RFC 2920 §3.1). In LMTP the end of a
// content is a turn for each recipient that was accepted (RFC 2033 §4.2). It
// shares no code with the client.
type dialogue struct {
	lmtp    bool
	turns   []turn
	replies []int // codes
}

// turn is what the client says to get one reply.
type turn struct {
	verb string // "." ends a content
	body string // of that, or of BDAT
	to   string // of RCPT, and of the end of a content in LMTP
}

// proper is what a good server says next, if anything is left to be said.
func (d dialogue) proper() string {
	n := len(d.replies)
	if n == 0 {
		return "220 mx\r\n"
	}
	if n > len(d.turns) {
		return ""
	}
	switch d.turns[n-1].verb {
	case "EHLO", "LHLO":
		return "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n"
	case "AUTH":
		return "235 2.7.0 fine\r\n"
	case "STARTTLS":
		return "454 4.7.0 not now\r\n"
	case "DATA":
		return "354 go\r\n"
	}
	return "250 2.0.0 fine\r\n"
}

// takeApart goes as far as can be told.
func takeApart(heard, said []byte, lmtp bool) (d dialogue) {
	d.lmtp = lmtp
	d.replies = replyCodes(said)
	for len(heard) > 0 {
		line, rest, whole := bytes.Cut(heard, []byte("\r\n"))
		if !whole {
			return d
		}
		verb, arg, _ := strings.Cut(string(line), " ")
		t := turn{verb: verb}
		if verb == "BDAT" {
			size, _ := strconv.Atoi(strings.TrimSuffix(arg, " LAST"))
			if size > len(rest) {
				return d
			}
			t.body, rest = string(rest[:size]), rest[size:]
			if !strings.HasSuffix(arg, " LAST") {
				t.verb = "chunk"
			}
		}
		if verb == "RCPT" {
			t.to = strings.Trim(strings.TrimPrefix(arg, "TO:"), "<>")
		}
		if t.verb == "BDAT" {
			d.ends(t)
		} else {
			d.turns = append(d.turns, t)
		}
		heard = rest
		switch n := len(d.turns); {
		case verb == "STARTTLS" && d.reply(n-1) == 220:
			return d // what follows is TLS
		case verb == "DATA" && d.reply(n-1) == 0:
			return d // not told yet whether a content follows
		case verb == "DATA" && d.reply(n-1) == 354:
			if heard, whole = d.content(heard); !whole {
				return d
			}
		}
	}
	return d
}

// content takes one off the front.
func (d *dialogue) content(heard []byte) (rest []byte, whole bool) {
	if bytes.HasPrefix(heard, []byte(".\r\n")) {
		d.ends(turn{verb: "."})
		return heard[3:], true
	}
	body, rest, whole := bytes.Cut(heard, []byte("\r\n.\r\n"))
	if whole {
		d.ends(turn{verb: ".", body: string(body)})
	}
	return rest, whole
}

// ends adds the end of a content.
func (d *dialogue) ends(t turn) {
	if !d.lmtp {
		d.turns = append(d.turns, t)
		return
	}
	for i := d.mail(); i < len(d.turns); i++ {
		if rcpt := d.turns[i]; rcpt.verb == "RCPT" && d.reply(i)/100 == 2 {
			d.turns = append(d.turns, turn{verb: t.verb, body: t.body, to: rcpt.to})
		}
	}
}

// mail is where the last transaction begins.
func (d *dialogue) mail() int {
	for i := len(d.turns) - 1; i >= 0; i-- {
		if d.turns[i].verb == "MAIL" {
			return i
		}
	}
	return 0
}

// reply is the code of the answer to a turn, 0 if there is none.
func (d dialogue) reply(turn int) int {
	if turn+1 < len(d.replies) {
		return d.replies[turn+1]
	}
	return 0
}

// deserved reports whether a message was accepted for a recipient in the right
// places: MAIL and RCPT with 2xx, DATA with 354, the end of the whole content with
// 2xx.
func (d dialogue) deserved(id, address, end string) error {
	mail, rcpt := false, false
	for i, t := range d.turns {
		fine := d.reply(i)/100 == 2
		switch t.verb {
		case "MAIL":
			mail, rcpt = fine, false
		case "RCPT":
			rcpt = rcpt || fine && t.to == address
		case ".", "BDAT":
			if t.to != "" && t.to != address || !strings.Contains(t.body, id) && !(t.verb == "BDAT" && d.chunkedBefore(i, id)) {
				continue
			}
			if !mail || !rcpt || !fine || !strings.Contains(t.body+"\r\n", end) {
				return fmt.Errorf("MAIL fine: %t, RCPT fine: %t, end of the content answered with %d", mail, rcpt, d.reply(i))
			}
			return nil
		}
	}
	return fmt.Errorf("its content never left in whole")
}

func (d dialogue) chunkedBefore(turn int, id string) bool {
	for turn--; turn >= 0 && (d.turns[turn].verb == "chunk" || d.lmtp && d.turns[turn].verb == "BDAT"); turn-- {
		if strings.Contains(d.turns[turn].body, id) {
			return true
		}
	}
	return false
}

// replyCodes reads replies until something is none (RFC 5321 §4.2.1); a bare LF
// ends a line too.
func replyCodes(said []byte) (codes []int) {
	first := 0
	for {
		line, rest, whole := bytes.Cut(said, []byte("\n"))
		said = rest
		if !whole || len(bytes.TrimSuffix(line, []byte("\r"))) < 3 {
			return codes
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		code, err := strconv.Atoi(string(line[:3]))
		between := len(line) > 3 && line[3] == '-'
		if err != nil || code < 200 || code > 599 || len(line) > 3 && !between && line[3] != ' ' || first != 0 && first != code {
			return codes
		}
		if first = code; !between {
			codes = append(codes, code)
			first = 0
		}
	}
}
