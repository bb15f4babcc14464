package smtptest_test

import (
	"context"
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func play(t *testing.T, s *smtptest.Server, says string) string {
	t.Helper()
	conn, err := s.DialContext(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, says)
	if half, ok := conn.(*smtptest.PipeConn); ok {
		half.CloseWrite()
	}
	replies, _ := io.ReadAll(conn)
	return string(replies)
}

func TestScriptsByConnection(t *testing.T) {
	t.Parallel()
	first := smtptest.Dialogue(`
		# optional, matching and exact lines
		S: 220 hello
		C~ ^EHLO \S+$
		S: 250-hi
		S: 250 PIPELINING
		C? RSET
		C: DATA
		S: 354 go
		C! body
		S> "250 o"
		S> "k\r\n"
		S! close`)
	s := smtptest.NewScripted(first, smtptest.Dialogue("S: 421 no"))
	defer s.Close()
	want := "220 hello\r\n250-hi\r\n250 PIPELINING\r\n354 go\r\n250 ok\r\n"
	if got := play(t, s, "EHLO x\r\nDATA\r\nbody\r\n..\r\n.\r\n"); got != want {
		t.Errorf("got %q", got)
	}
	for range 2 {
		if got := play(t, s, ""); got != "421 no\r\n" {
			t.Errorf("got %q", got)
		}
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

func TestScriptTellsMismatch(t *testing.T) {
	t.Parallel()
	for _, says := range []string{"HELO x\r\n", ""} {
		s := smtptest.NewScripted(smtptest.Dialogue("S: 220 hello\nC: EHLO x\nS: 250 ok"))
		play(t, s, says)
		s.Close()
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), `script line 2: want "EHLO x"`) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

func TestScriptWithTLS(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{
		Network: smtptest.Memory, TLS: smtptest.TLSStartTLS,
		Scripts: []*smtptest.Script{smtptest.Dialogue("C: STARTTLS\nS: 220 go\nS! starttls\nC: hello\nS: 250 secure")},
	})
	conn, err := s.DialContext(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "STARTTLS\r\n")
	io.ReadFull(conn, make([]byte, len("220 go\r\n")))
	config := s.ClientTLS()
	config.ServerName = "localhost"
	secure := tls.Client(conn, config)
	io.WriteString(secure, "hello\r\n")
	if b, err := io.ReadAll(secure); string(b) != "250 secure\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestParseScriptRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"X: y", "S", "S> unquoted", "C~ (", "S! dance", "S! wait long", "C! close"} {
		if _, err := smtptest.ParseScript(strings.NewReader("S: fine\n" + text)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseScript(f *testing.F) {
	f.Add("S: 220 x\nC: EHLO\nC? a\nC~ b.*\nC! body\nS> \"x\\n\"\n# c\nS! wait 1s\nS! close")
	f.Add("S! starttls\nS! reset\nS! wait")
	f.Fuzz(func(t *testing.T, text string) {
		script, err := smtptest.ParseScript(strings.NewReader(text))
		if (script == nil) == (err == nil) {
			t.Fatalf("%v, %v", script, err)
		}
	})
}
