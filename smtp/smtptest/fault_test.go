package smtptest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

const group = "RSET\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
const letter = "Message-ID: <1@b.test>\r\n\r\nHello\r\n.\r\n"

// session sends a whole session, whatever comes back, half-closes nothing, and
// returns the codes of all replies and the error at the end.
func session(t *testing.T, s *smtptest.Server) ([]string, error) {
	t.Helper()
	conn, err := s.DialContext(context.Background(), "", "")
	if err != nil {
		return nil, err // a reset can overtake the dialler
	}
	defer conn.Close()
	var codes []string
	replies := bufio.NewReader(conn)
	flights := []struct {
		octets string
		want   int
	}{{"", 1}, {"EHLO client.test\r\n", 1}, {group, 4}, {letter, 1}, {"QUIT\r\n", 1}}
	for _, f := range flights {
		io.WriteString(conn, f.octets)
		for range f.want {
			code, err := readCode(replies)
			if err != nil {
				return codes, err
			}
			codes = append(codes, code)
		}
	}
	for {
		code, err := readCode(replies)
		if err != nil {
			return codes, err
		}
		codes = append(codes, code)
	}
}

func readCode(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(line) > 3 && line[3] == ' ' {
			return line[:3], nil
		}
	}
}

func TestFaultsEndSessions(t *testing.T) {
	t.Parallel()
	const all = "220 250 250 250 250 354 250 221"
	tests := []struct {
		fault    string
		codes    string
		accepted int
		reset    bool
	}{
		{"noop:drop", all, 1, false},
		{"connect:drop", "", 0, false},
		{"connect:reset", "", 0, true},
		{"connect:421", "421", 0, false},
		{"greeting:421", "421", 0, false},
		{"greeting:reply=554 No", "554", 0, false},
		{"ehlo:drop", "220", 0, false},
		{"mail:421", "220 250 250 421", 0, false},
		{"mail:drop", "220 250 250", 0, false},
		{"rcpt:drop:1st", "220 250 250 250", 0, false},
		{"rcpt:421=421 4.7.0 Go away", "220 250 250 250 421", 0, false},
		{"data:reset", "220 250 250 250 250", 0, true},
		{"body@10:drop", "220 250 250 250 250 354", 0, false},
		{"body@10:421", "220 250 250 250 250 354 421", 0, false},
		{"final:drop", "220 250 250 250 250 354", 0, false},
		{"final:reset", "220 250 250 250 250 354", 0, true},
		{"final:421", "220 250 250 250 250 354 421", 0, false},
		{"final:vanish", "220 250 250 250 250 354 250", 1, false},
		{"after-final:drop", "220 250 250 250 250 354", 1, false},
		{"after-final:reset", "220 250 250 250 250 354", 1, true},
		{"after-final:421", "220 250 250 250 250 354 421", 1, false},
		{"quit:drop", "220 250 250 250 250 354 250", 1, false},
		{"rcpt:extra", "220 250 250 250 250 250 354 250 221", 1, false},
		{"final:reply=452 4.3.1 Full: later", "220 250 250 250 250 354 452 221", 0, false},
		{"ehlo:oversize", "220 250 250 250 250 354 250 221", 1, false},
		{"mail:drip=1ns", all, 1, false},
		{"mail:delay=1ns", all, 1, false},
		{"idle@1ns:421:2nd", "220 250 250 250 250 354 250 421", 1, false},
	}
	for _, tt := range tests {
		for _, network := range networks {
			t.Run(tt.fault+"/"+network, func(t *testing.T) {
				t.Parallel()
				fault, err := smtptest.ParseFault(tt.fault)
				if err != nil {
					t.Fatal(err)
				}
				s := start(t, smtptest.Config{Network: network, Faults: []smtptest.Fault{fault}})
				codes, err := session(t, s)
				got := strings.Join(codes, " ")
				// What a reset overtakes is lost on a real link.
				if got != tt.codes && !(tt.reset && network == smtptest.TCP && strings.HasPrefix(tt.codes, got)) {
					t.Errorf("replies %q, want %q (%v)", got, tt.codes, err)
				}
				if reset := errors.Is(err, syscall.ECONNRESET); reset != tt.reset && network == smtptest.Memory {
					t.Errorf("ended with %v, want reset %v", err, tt.reset)
				}
				if s.Stats().Accepted != tt.accepted || len(s.Accepted()) != tt.accepted {
					t.Errorf("accepted %d, want %d", s.Stats().Accepted, tt.accepted)
				}
			})
		}
	}
}

func TestMissingReply(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, Faults: []smtptest.Fault{{Phase: smtptest.PhaseRCPT, Action: smtptest.Missing}}})
	c := dial(t, s)
	talk(t, c, "", 220)
	talk(t, c, "EHLO x", 250)
	talk(t, c, strings.TrimSuffix(group, "\r\n"), 250)
	talk(t, c, "", 250)
	talk(t, c, "", 354)
}

func TestStallSwallowsUntilClosed(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"connect", "greeting", "ehlo", "mail", "rcpt", "data", "body", "final", "after-final"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			fault, err := smtptest.ParseFault(phase + ":stall")
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, smtptest.Config{Network: smtptest.Memory, Faults: []smtptest.Fault{fault}})
			conn, err := s.DialContext(context.Background(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "EHLO x\r\n"+group)
			io.WriteString(conn, letter+"QUIT\r\n")
			s.Close()
			replies, err := io.ReadAll(conn)
			if err != nil || strings.Contains(string(replies), "221") {
				t.Errorf("got %q, %v", replies, err)
			}
		})
	}
}

func TestStallInTheBodyStopsReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory,
			Faults: []smtptest.Fault{{Phase: smtptest.PhaseBody, Action: smtptest.Stall, Octets: 1000}}})
		defer s.Close()
		conn, err := s.DialContext(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "EHLO x\r\n"+group)
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := io.WriteString(conn, strings.Repeat("x", 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < 64<<10 {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}

func TestNthAndProbability(t *testing.T) {
	t.Parallel()
	codes := func(f string, seed uint64) (all []string) {
		fault, err := smtptest.ParseFault(f)
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, smtptest.Config{Network: smtptest.Memory, Faults: []smtptest.Fault{fault}, Seed: seed})
		for range 2 {
			c := dial(t, s)
			talk(t, c, "", 220)
			for range 20 {
				c.PrintfLine("NOOP")
				line, _ := c.ReadLine()
				all = append(all, line[:3])
			}
		}
		return all
	}
	count := func(list []string) (n int) {
		for _, c := range list {
			if c == "451" {
				n++
			}
		}
		return n
	}
	if got := codes("noop:reply=451 No:5th", 0); count(got) != 1 || got[4] != "451" {
		t.Errorf("5th on the server: %v", got)
	}
	if got := codes("noop:reply=451 No:5th:conn", 0); count(got) != 2 || got[24] != "451" {
		t.Errorf("5th on each connection: %v", got)
	}
	a, b := codes("noop:reply=451 No:0.5", 7), codes("noop:reply=451 No:0.5", 7)
	if n := count(a); n < 5 || n > 35 || !slices.Equal(a, b) {
		t.Errorf("half of 40: %d; same seed, same faults: %v", n, slices.Equal(a, b))
	}
}

func TestCloseConnections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		how  smtptest.Closing
		want string
		err  error
	}{
		{smtptest.CloseFIN, "", nil},
		{smtptest.CloseRST, "", syscall.ECONNRESET},
		{smtptest.CloseWith421, "421 mx.example.com Service shutting down\r\n", nil},
	}
	for _, tt := range tests {
		s := start(t, smtptest.Config{Network: smtptest.Memory, Extensions: smtptest.NoExtensions()})
		conn, err := s.DialContext(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		r.ReadString('\n')
		s.CloseConnections(tt.how)
		rest, err := io.ReadAll(r)
		if string(rest) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%v: %q, %v", tt.how, rest, err)
		}
		if st := s.Stats(); st.Open != 0 {
			t.Errorf("%v: open %d", tt.how, st.Open)
		}
	}
}

func TestParseFaultRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "mail", "nowhere:drop", "mail:jump", "mail@5:drop", "body@x:drop", "mail:reply",
		"mail:reply=99 x", "mail:delay=soon", "mail:drop=1", "mail:drop:2", "mail:drop:0th", "mail:drop:5th:6th", "idle@-1s:421",
		"mail:delay=1s~100%", "mail:delay=1s~x", "mail:drip=1s~5%", "mail:drop:after=-1s", "mail:drop:only=X1"} {
		if f, err := smtptest.ParseFault(text); err == nil {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	for _, text := range []string{"final:drop:0.01", "mail:421:5th", "body@2000:reset", "idle@30s:421",
		"rcpt:reply=550 5.1.1 No such user: bob:2nd:conn", "ehlo:delay=3s", "noop:drip=10ms:0.5:3rd",
		"mail:delay=1s~30%", "body:421=550 5.3.0 Enough:after=5s", "other:drop:only=vrfy:conn"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := smtptest.ParseFault(text)
		if err != nil {
			return
		}
		again, err := smtptest.ParseFault(fault.String())
		if err != nil || again != fault {
			t.Fatalf("%q is %+v, printed %q, which is %+v (%v)", text, fault, fault, again, err)
		}
	})
}

// A drop in TCP must not turn into a reset just because something was unread.
func TestDropIsNoReset(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseEHLO, Action: smtptest.Drop}}})
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "EHLO x\r\n"+strings.Repeat("NOOP\r\n", 10000))
	if rest, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(rest), "220 ") {
		t.Errorf("%q, %v", rest, err)
	}
}
