package proxy

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"unicode"
)

// maxHead bounds what a proxy may say before the server's own words.
const maxHead = 16 << 10

// informational is how many interim replies are passed over (RFC 9110 §15.2).
const informational = 5

// connect asks for the way, and reads the answer and not an octet more: the
// server's greeting may follow at once.
func (p *Proxy) connect(conn net.Conn, target string) error {
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if p.login {
		request += "Proxy-Authorization: Basic " + p.basic() + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	for range informational {
		r, err := readResponse(conn)
		if err != nil {
			return err
		}
		if r.code >= 200 {
			return p.verdict(r)
		}
	}
	return errors.New("it says again and again that it is at work")
}

// basic is the login as RFC 7617 writes it; "" without one.
func (p *Proxy) basic() string {
	if !p.login {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(p.user + ":" + p.password))
}

// verdict is nil for a way that is open.
func (p *Proxy) verdict(r response) error {
	if r.code < 300 {
		return nil
	}
	said := &refusal{err: errors.New("it answers " + p.shown(r.status))}
	switch {
	case (r.code == 407 || r.code == 401) && p.login: // tinyproxy says 401
		said.hint = "the proxy refused its own login, which is not that of the mail account: correct user and password in its URL" + only(r.logins)
	case r.code == 407:
		said.hint = "the proxy wants a login: give user:password@ in its URL" + only(r.logins)
	case r.code == 403 || r.code == 405:
		said.hint = "the proxy's rules forbid this server or port (many allow 443 alone): ask whoever runs it"
	case r.code == 502 || r.code == 503 || r.code == 504 || r.code == 500:
		said.hint = "the proxy cannot reach the server, or does not know its name: check host and port"
	case r.code == 400 || r.code == 404 || r.code == 501:
		said.hint = "it may be no proxy, or not open connections for others: check its address and port"
	}
	return said
}

// only says which logins a proxy takes, if ours is none of them.
func only(logins []string) string {
	if len(logins) == 0 {
		return ""
	}
	var schemes []string
	for _, challenge := range logins {
		scheme, _, _ := strings.Cut(strings.TrimSpace(challenge), " ")
		if strings.EqualFold(scheme, "Basic") {
			return ""
		}
		schemes = append(schemes, printable(scheme))
	}
	return "; it takes " + strings.Join(schemes, ", ") + ", of which Basic, the only one we can do, is none"
}

// shown is a proxy's own text without what it was told.
func (p *Proxy) shown(text string) string {
	for _, secret := range p.secrets() {
		text = strings.ReplaceAll(text, secret, "<secret>")
	}
	return printable(text)
}

// printable disarms and shortens what a stranger says.
func printable(text string) string {
	const most = 120
	runes := []rune(strings.ToValidUTF8(text, "?"))
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '?'
		}
	}
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}

// response is the head of an answer to CONNECT.
type response struct {
	code   int
	status string   // code and words
	logins []string // the challenges of a 407
}

// readResponse reads the head, which ends with an empty line.
func readResponse(r io.Reader) (response, error) {
	head, err := readHead(r)
	if err != nil {
		return response{}, err
	}
	lines := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	line, err := lines.ReadLine()
	if err != nil {
		return response{}, errNoHTTP
	}
	version, status, _ := strings.Cut(line, " ")
	status = strings.TrimSpace(status)
	digits, _, _ := strings.Cut(status, " ")
	code, err := strconv.Atoi(digits)
	if !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(digits) != 3 || code < 100 {
		return response{}, errNoHTTP
	}
	// Whatever is wrong with the fields, the status counts.
	fields, _ := lines.ReadMIMEHeader()
	return response{code: code, status: status, logins: fields.Values("Proxy-Authenticate")}, nil
}

var errNoHTTP = &refusal{err: errors.New("what it answers is not HTTP"), hint: "it is no HTTP proxy: check its port, or try socks5:// in its URL"}

// readHead reads up to and with the empty line, octet by octet.
func readHead(r io.Reader) ([]byte, error) {
	var head []byte
	one := make([]byte, 1)
	for len(head) < maxHead {
		if _, err := io.ReadFull(r, one); err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("it closed the connection: %w", io.ErrUnexpectedEOF)
			}
			return nil, err
		}
		head = append(head, one[0])
		if len(head) == 5 && !bytes.HasPrefix(head, []byte("HTTP/")) {
			return nil, errNoHTTP
		}
		if one[0] == '\n' && (bytes.HasSuffix(head, []byte("\n\r\n")) || bytes.HasSuffix(head, []byte("\n\n"))) {
			return head, nil
		}
	}
	return nil, fmt.Errorf("its answer has no end within %d octets", maxHead)
}
