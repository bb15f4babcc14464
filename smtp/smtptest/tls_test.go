package smtptest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/textproto"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestStartTLS(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := start(t, smtptest.Config{Network: network, TLS: smtptest.TLSStartTLS, Auth: &smtptest.Auth{}})
			conn, err := s.DialContext(context.Background(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := textproto.NewConn(conn)
			talk(t, c, "", 220)
			if text := talk(t, c, "EHLO x", 250); !strings.Contains(text, "STARTTLS") || strings.Contains(text, "AUTH") {
				t.Errorf("offered before TLS: %s", text)
			}
			talk(t, c, "STARTTLS", 220)
			config := s.ClientTLS()
			config.ServerName = "localhost"
			c = textproto.NewConn(tls.Client(conn, config))
			talk(t, c, "MAIL FROM:<a@b.test>", 503) // EHLO again first
			if text := talk(t, c, "EHLO x", 250); strings.Contains(text, "STARTTLS") || !strings.Contains(text, "AUTH PLAIN") {
				t.Errorf("offered after TLS: %s", text)
			}
			talk(t, c, "STARTTLS", 502)
			talk(t, c, "QUIT", 221)
			if info := s.Connections()[0]; !info.TLS || info.Hello != "x" {
				t.Errorf("%+v", info)
			}
		})
	}
}

func TestImplicitTLS(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		for _, name := range []string{"localhost", "127.0.0.1", "example.com", "wrong.test"} {
			t.Run(network+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := start(t, smtptest.Config{Network: network, TLS: smtptest.TLSImplicit})
				conn, err := s.DialContext(context.Background(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				config := s.ClientTLS()
				config.ServerName = name
				secure := tls.Client(conn, config)
				if err := secure.Handshake(); (err != nil) != (name == "wrong.test") {
					t.Fatal(err)
				}
				if name == "wrong.test" {
					return
				}
				c := textproto.NewConn(secure)
				talk(t, c, "", 220)
				talk(t, c, "QUIT", 221)
				if b, err := io.ReadAll(secure); len(b) > 0 || err != nil { // close_notify came
					t.Errorf("%q, %v", b, err)
				}
			})
		}
	}
}

func TestStartTLSFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, want string }{
		{"starttls:extra=250 injected", "220 2.0.0 Ready to start TLS\r\n250 injected\r\n"},
		{"starttls:reply=454 4.7.0 Later", "454 4.7.0 Later\r\n"},
		{"starttls:drop", ""},
		{"tls:drop", "220 2.0.0 Ready to start TLS\r\n"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			fault, err := smtptest.ParseFault(tt.fault)
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, smtptest.Config{Network: smtptest.Memory, TLS: smtptest.TLSStartTLS, Faults: []smtptest.Fault{fault}})
			conn, err := s.DialContext(context.Background(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			c := textproto.NewConn(conn)
			talk(t, c, "", 220)
			talk(t, c, "EHLO x", 250)
			c.PrintfLine("STARTTLS")
			conn.(*smtptest.PipeConn).CloseWrite()
			rest, err := io.ReadAll(c.R)
			if string(rest) != tt.want || err != nil {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}
