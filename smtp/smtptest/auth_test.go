package smtptest_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"hash"
	"net/textproto"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func unb64(t *testing.T, text string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var everyMechanism = []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
	"XOAUTH2", "OAUTHBEARER", "EXTERNAL"}

func authServer(t *testing.T, change func(*smtptest.Config)) (*smtptest.Server, *textproto.Conn) {
	t.Helper()
	config := smtptest.Config{Network: smtptest.Memory, Transcripts: true,
		Auth: &smtptest.Auth{Users: map[string]string{"joe": "sesame"}, Mechanisms: everyMechanism, Required: true}}
	if change != nil {
		change(&config)
	}
	s := start(t, config)
	c := dial(t, s)
	talk(t, c, "", 220)
	talk(t, c, "EHLO x", 250)
	return s, c
}

func TestSimpleMechanisms(t *testing.T) {
	t.Parallel()
	bearer := "n,a=joe,\x01host=x\x01port=25\x01auth=Bearer %s\x01\x01"
	tests := []struct {
		name  string
		lines []string // the secret is %s, in base64 where it says so
	}{
		{"PLAIN", []string{"AUTH PLAIN \x00joe\x00%s"}},
		{"PLAIN later", []string{"AUTH PLAIN", "\x00joe\x00%s"}},
		{"LOGIN", []string{"AUTH LOGIN", "joe", "%s"}},
		{"LOGIN at once", []string{"AUTH LOGIN joe", "%s"}},
		{"XOAUTH2", []string{"AUTH XOAUTH2 user=joe\x01auth=Bearer %s\x01\x01"}},
		{"OAUTHBEARER", []string{"AUTH OAUTHBEARER " + bearer}},
	}
	for _, tt := range tests {
		for secret, code := range map[string]int{"sesame": 235, "wrong": 535} {
			t.Run(tt.name+"/"+secret, func(t *testing.T) {
				t.Parallel()
				s, c := authServer(t, nil)
				talk(t, c, "MAIL FROM:<a@b.test>", 530)
				lines := tt.lines
				if strings.Contains(lines[0], "BEARER") || strings.Contains(lines[0], "XOAUTH2") {
					if secret == "wrong" {
						lines = append(lines[:1:1], "\x01")
					}
				}
				for i, line := range lines {
					want := 334
					if i == len(lines)-1 {
						want = code
					}
					talk(t, c, encoded(line, secret), want)
				}
				checkLogin(t, s, c, secret)
			})
		}
	}
}

// encoded puts the secret in and what is not a command into base64.
func encoded(line, secret string) string {
	line = strings.ReplaceAll(line, "%s", secret)
	if !strings.HasPrefix(line, "AUTH ") {
		return b64(line)
	}
	words := strings.SplitN(line, " ", 3)
	if len(words) == 3 {
		words[2] = b64(words[2])
	}
	return strings.Join(words, " ")
}

func checkLogin(t *testing.T, s *smtptest.Server, c *textproto.Conn, secret string) {
	t.Helper()
	st := s.Stats()
	if secret == "sesame" {
		talk(t, c, "MAIL FROM:<a@b.test>", 250)
		if info := s.Connections()[0]; st.LoginsAccepted != 1 || info.User != "joe" {
			t.Errorf("%+v, %+v", st, info)
		}
	} else {
		talk(t, c, "MAIL FROM:<a@b.test>", 530)
		if st.LoginsAccepted != 0 || st.LoginsRefused != 1 {
			t.Errorf("%+v", st)
		}
	}
	if log := s.Transcript(1); strings.Contains(log, b64(secret)) || strings.Contains(log, b64("\x00joe\x00"+secret)) || !strings.Contains(log, "C: AUTH ") {
		t.Errorf("transcript %s", log)
	}
}

func TestCRAMMD5(t *testing.T) {
	t.Parallel()
	for secret, code := range map[string]int{"sesame": 235, "wrong": 535} {
		s, c := authServer(t, nil)
		challenge := unb64(t, talk(t, c, "AUTH CRAM-MD5", 334))
		mac := hmac.New(md5.New, []byte(secret))
		mac.Write([]byte(challenge))
		talk(t, c, b64(fmt.Sprintf("joe %x", mac.Sum(nil))), code)
		checkLogin(t, s, c, secret)
	}
}

// scramClient logs in by RFC 5802.
func scramClient(t *testing.T, c *textproto.Conn, mechanism, gs2, binding, secret string, want int) {
	t.Helper()
	newHash := sha1.New
	if strings.Contains(mechanism, "256") {
		newHash = sha256.New
	}
	bare := "n=joe,r=clientnonce"
	first := unb64(t, talk(t, c, "AUTH "+mechanism+" "+b64(gs2+bare), 334))
	fields := strings.Split(first, ",")
	nonce, salt := fields[0][2:], unb64(t, fields[1][2:])
	salted, err := pbkdf2.Key(newHash, secret, []byte(salt), 4096, newHash().Size())
	if err != nil {
		t.Fatal(err)
	}
	final := "c=" + b64(gs2+binding) + ",r=" + nonce
	said := bare + "," + first + "," + final
	clientKey := sum(newHash, salted, "Client Key")
	stored := newHash()
	stored.Write(clientKey)
	proof := sum(newHash, stored.Sum(nil), said)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	reply := talk(t, c, b64(final+",p="+b64(string(proof))), map[bool]int{true: 334, false: want}[want == 235])
	if want != 235 {
		return
	}
	if got := unb64(t, reply); got != "v="+b64(string(sum(newHash, sum(newHash, salted, "Server Key"), said))) {
		t.Errorf("server signature %q", got)
	}
	c.PrintfLine("") // an empty response
	talk(t, c, "", 235)
}

func sum(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func TestSCRAM(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256"} {
		for secret, code := range map[string]int{"sesame": 235, "wrong": 535} {
			s, c := authServer(t, nil)
			scramClient(t, c, mechanism, "n,,", "", secret, code)
			checkLogin(t, s, c, secret)
		}
	}
}

func TestSCRAMPlus(t *testing.T) {
	t.Parallel()
	for binding, code := range map[string]int{"right": 235, "wrong": 535} {
		s := start(t, smtptest.Config{Network: smtptest.Memory, TLS: smtptest.TLSImplicit,
			Auth: &smtptest.Auth{Users: map[string]string{"joe": "sesame"}, Mechanisms: everyMechanism}})
		conn, err := s.DialContext(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		config := s.ClientTLS()
		config.ServerName = "localhost"
		secure := tls.Client(conn, config)
		c := textproto.NewConn(secure)
		talk(t, c, "", 220)
		talk(t, c, "EHLO x", 250)
		data := []byte("something else")
		if binding == "right" {
			state := secure.ConnectionState()
			if data, err = state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err != nil {
				t.Fatal(err)
			}
		}
		scramClient(t, c, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", string(data), "sesame", code)
		conn.Close()
	}
}

func TestAuthRefusals(t *testing.T) {
	t.Parallel()
	_, c := authServer(t, nil)
	talk(t, c, "AUTH SCRAM-SHA-256-PLUS", 504) // no TLS
	talk(t, c, "AUTH GSSAPI", 504)
	talk(t, c, "AUTH PLAIN !!", 501)
	talk(t, c, "AUTH EXTERNAL =", 535)
	talk(t, c, "AUTH PLAIN", 334)
	talk(t, c, "*", 501)

	_, c = authServer(t, func(config *smtptest.Config) {
		config.Auth.Verdict = func(mechanism, user string) *smtptest.Reply {
			return &smtptest.Reply{Code: 454, Text: "4.7.0 " + mechanism + " for " + user + " later"}
		}
	})
	if text := talk(t, c, "AUTH PLAIN "+b64("\x00joe\x00sesame"), 454); text != "4.7.0 PLAIN for joe later" {
		t.Error(text)
	}
}
