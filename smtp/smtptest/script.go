package smtptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Script is a fixed dialogue. Its text form has a step on each line:
//
//	S: text        the server says a line
//	S> "text\n"    the server says exactly these octets (a Go string)
//	C: text        the client must say this line
//	C? text        the client may say this line
//	C~ regexp      the client must say a line that matches
//	C! body        the client must send content, up to a lone dot
//	S! close       close the connection
//	S! reset       reset the connection
//	S! wait        swallow what comes until the client closes
//	S! wait 2s     wait
//	S! starttls    make the TLS handshake
//	# comment
//
// At its end the connection is closed. What the server says leaves when it
// waits for the client next, in one write.
type Script struct{ steps []step }

type stepKind uint8

const (
	sayOctets stepKind = iota
	expectLine
	allowLine
	expectMatch
	expectBody
	closeNow
	resetNow
	waitForClose
	waitFor
	startTLS
)

type step struct {
	line    int
	kind    stepKind
	text    string
	pattern *regexp.Regexp
	pause   time.Duration
}

// NewScripted starts a server in memory that plays the scripts, one on each
// connection, the last one again and again.
func NewScripted(scripts ...*Script) *Server {
	return NewServer(Config{Network: Memory, Scripts: scripts})
}

// Dialogue parses a script and panics if it is not one.
func Dialogue(text string) *Script {
	script, err := ParseScript(strings.NewReader(text))
	if err != nil {
		panic(err.Error())
	}
	return script
}

// ParseScript reads the text form of a script.
func ParseScript(r io.Reader) (*Script, error) {
	script := &Script{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimLeft(lines.Text(), " \t")
		if text == "" || text[0] == '#' {
			continue
		}
		st, err := parseStep(text)
		if err != nil {
			return nil, fmt.Errorf("smtptest: script line %d: %w", n, err)
		}
		st.line = n
		script.steps = append(script.steps, st)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("smtptest: read a script: %w", err)
	}
	return script, nil
}

func parseStep(text string) (step, error) {
	if len(text) < 2 {
		return step{}, fmt.Errorf("unknown step %q", text)
	}
	rest := strings.TrimPrefix(text[2:], " ")
	switch text[:2] {
	case "S:":
		return step{kind: sayOctets, text: rest + "\r\n"}, nil
	case "S>":
		octets, err := strconv.Unquote(rest)
		if err != nil {
			return step{}, fmt.Errorf("not a quoted string: %s", rest)
		}
		return step{kind: sayOctets, text: octets}, nil
	case "C:":
		return step{kind: expectLine, text: rest}, nil
	case "C?":
		return step{kind: allowLine, text: rest}, nil
	case "C~":
		pattern, err := regexp.Compile(rest)
		return step{kind: expectMatch, text: rest, pattern: pattern}, err
	case "C!", "S!":
		return parseDeed(text[:1], strings.TrimSpace(rest))
	}
	return step{}, fmt.Errorf("unknown step %q", text)
}

var deeds = map[string]stepKind{
	"C body": expectBody, "S close": closeNow, "S reset": resetNow, "S wait": waitForClose, "S starttls": startTLS,
}

func parseDeed(who, what string) (step, error) {
	if kind, known := deeds[who+" "+what]; known {
		return step{kind: kind}, nil
	}
	if pause, isWait := strings.CutPrefix(what, "wait "); isWait && who == "S" {
		d, err := time.ParseDuration(pause)
		return step{kind: waitFor, pause: d}, err
	}
	return step{}, fmt.Errorf("unknown step %q", who+"! "+what)
}

// play plays the script of this connection.
func (s *session) play() {
	scripts := s.config.Scripts
	script := scripts[min(s.number, len(scripts))-1]
	s.hello = true
	if s.config.TLS == TLSImplicit && s.handshake() != nil {
		return
	}
	player := &player{session: s}
	for _, st := range script.steps {
		if err := player.step(st); err != nil {
			if !errors.Is(err, errEnd) && !s.wasCut() {
				s.server.fail(fmt.Errorf("smtptest: connection %d, script line %d: %w", s.number, st.line, err))
			}
			return
		}
	}
}

// player carries out the steps of a script on one connection.
type player struct {
	session *session
	pending *string // a line that an optional step did not take
}

func (p *player) step(st step) error {
	s := p.session
	switch st.kind {
	case sayOctets:
		s.record('S', []byte(st.text))
		s.out = append(s.out, st.text...)
		return nil
	case expectBody:
		return s.in.untilDot(func([]byte) error { return nil })
	case closeNow:
		return errEnd
	case resetNow:
		s.flush()
		s.ending = endRST
		return errEnd
	case waitForClose:
		return s.stall()
	case waitFor:
		if err := s.flush(); err != nil {
			return err
		}
		return s.pause(st.pause)
	case startTLS:
		if err := s.await(); err != nil {
			return err
		}
		return s.scriptedTLS()
	}
	return p.listen(st)
}

// listen compares the client's next line with the step.
func (p *player) listen(st step) error {
	if p.pending == nil {
		line, err := p.session.in.line()
		if err != nil {
			if st.kind == allowLine && errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("want %q, got %w", st.text, err)
		}
		text := strings.TrimSuffix(string(line), "\r\n")
		p.session.record('C', []byte(text))
		p.pending = &text
	}
	got := *p.pending
	fits := got == st.text
	if st.kind == expectMatch {
		fits = st.pattern.MatchString(got)
	}
	if !fits && st.kind == allowLine {
		return nil
	}
	p.pending = nil
	if !fits {
		return fmt.Errorf("want %q, got %q", st.text, got)
	}
	return nil
}

func (s *session) scriptedTLS() error {
	if s.server.tls == nil {
		return errors.New("starttls needs Config.TLS to be set")
	}
	return s.handshake()
}
