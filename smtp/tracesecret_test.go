package smtp_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// A login that rides at the head of the first envelope's group is hidden from
// the trace like any other.
func TestTraceHidesTheLogin(t *testing.T) {
	t.Parallel()
	const password = "planted-7f3a"
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory,
				Auth: &smtptest.Auth{Users: map[string]string{"ann": password}, Mechanisms: []string{mechanism}}})
			defer s.Close()
			var mu sync.Mutex
			var seen strings.Builder
			conn, err := smtp.Dial(t.Context(), smtp.Config{Host: "localhost", TLS: smtp.TLSNone, DialContext: s.DialContext,
				Auth: &smtp.Auth{Username: "ann", Password: password},
				Trace: &smtp.Trace{
					Sent:     func(line string) { mu.Lock(); seen.WriteString(line + "\n"); mu.Unlock() },
					Received: func(r smtp.Reply) { mu.Lock(); seen.WriteString(r.String() + "\n"); mu.Unlock() },
				}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			result, err := conn.Send(t.Context(), &smtp.Transaction{
				Envelope: smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")},
				Content:  smtp.Bytes([]byte("Subject: x\r\n\r\nx\r\n")),
			})
			if err != nil || result.Outcome != smtp.Accepted {
				t.Fatal(result, err)
			}
			for _, secret := range []string{password,
				base64.StdEncoding.EncodeToString([]byte(password)),
				base64.StdEncoding.EncodeToString([]byte("\x00ann\x00" + password))} {
				if strings.Contains(seen.String(), secret) {
					t.Errorf("the trace shows the login:\n%s", seen.String())
				}
			}
			if !strings.Contains(seen.String(), "AUTH "+mechanism) || !strings.Contains(seen.String(), "MAIL FROM:<ann@example.com>") {
				t.Errorf("the trace misses commands:\n%s", seen.String())
			}
		})
	}
}

// What is no reply is quoted in the error, but not once the server knows the
// password: it may be what it says.
func TestJunkIsNotQuotedAfterALogin(t *testing.T) {
	t.Parallel()
	const password = "planted-7f3a"
	for name, junk := range map[string]string{"no reply": password + " is no reply", "half a reply": "250-fine\nS: " + password} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.NewScripted(smtptest.Dialogue("S: 220 mx\nC~ ^EHLO\nS: 250-mx\nS: 250 AUTH PLAIN\nC~ ^AUTH\nS: 235 ok\nC~ ^MAIL\nS: " + junk + "\nS! wait"))
			defer s.Close()
			conn, err := smtp.Dial(t.Context(), smtp.Config{Host: "localhost", TLS: smtp.TLSNone, DialContext: s.DialContext,
				Auth: &smtp.Auth{Username: "ann", Password: password}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, err = conn.Send(t.Context(), &smtp.Transaction{
				Envelope: smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")},
				Content:  smtp.Bytes([]byte("Subject: x\r\n\r\nx\r\n")),
			})
			if e := (*smtp.Error)(nil); !errors.As(err, &e) || e.Class != smtp.ClassProtocol || strings.Contains(err.Error(), password) {
				t.Errorf("%v", err)
			}
		})
	}
}
