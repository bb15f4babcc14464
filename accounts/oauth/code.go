package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// loginByCode has the browser come back to this machine (RFC 8252 §7.3) with a code
// that is of use to nobody else (RFC 7636).
func (c *Config) loginByCode(ctx context.Context, o LoginOptions) (Token, error) {
	listeners, err := listen(c.redirectHost(), o.Port)
	if err != nil {
		return Token{}, fmt.Errorf("wait for the browser: %w", err)
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	desk := newDesk(state)
	defer desk.serve(listeners)()
	config := c.oauth2Config()
	config.RedirectURL = "http://" + net.JoinHostPort(c.redirectHost(), strconv.Itoa(listeners[0].Addr().(*net.TCPAddr).Port))
	address := config.AuthCodeURL(state, c.authOptions(verifier, o.Address)...)
	o.Show(Prompt{URL: address})
	if o.Open != nil {
		_ = o.Open(address) // the person has it
	}
	code, err := desk.wait(ctx)
	if err != nil {
		return c.finish(ctx, nil, err)
	}
	answer, err := config.Exchange(c.with(ctx), code, oauth2.VerifierOption(verifier))
	return c.finish(ctx, answer, err, code, verifier)
}

// listen takes the port on 127.0.0.1, and where the browser is sent to "localhost" on
// ::1, too: browsers may try that first, and whoever else listened there would get
// the code.
func listen(host string, port int) ([]net.Listener, error) {
	four, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil || host != "localhost" {
		return []net.Listener{four}, err
	}
	address := net.JoinHostPort("::1", strconv.Itoa(four.Addr().(*net.TCPAddr).Port))
	six, err := net.Listen("tcp", address)
	if err == nil {
		return []net.Listener{four, six}, nil
	}
	const patience = time.Second
	if other, err := net.DialTimeout("tcp", address, patience); err == nil {
		return nil, errors.Join(fmt.Errorf("another program listens on %s, where the browser may go: end it, or choose another port", address), other.Close(), four.Close())
	}
	return []net.Listener{four}, nil // there is no IPv6
}

func (c *Config) redirectHost() string {
	if p := c.provider(); p.redirectHost != "" {
		return p.redirectHost
	}
	return "127.0.0.1"
}

func (c *Config) authOptions(verifier, address string) []oauth2.AuthCodeOption {
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	for key, value := range c.provider().authParams {
		options = append(options, oauth2.SetAuthURLParam(key, value))
	}
	if address != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", address))
	}
	return options
}

// desk is where the browser comes back to: a server for one answer.
type desk struct {
	state  string
	answer chan callback // holds one
}

func newDesk(state string) *desk { return &desk{state: state, answer: make(chan callback, 1)} }

// serve starts the server; what it returns ends it and waits for it. The browser
// gets its last page first.
func (d *desk) serve(listeners []net.Listener) (stop func()) {
	const patience, farewell = 5 * time.Second, time.Second
	server := &http.Server{Handler: d, ReadTimeout: patience, WriteTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	var served sync.WaitGroup
	for _, l := range listeners {
		served.Go(func() { _ = server.Serve(l) }) // ends when it is stopped
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		served.Wait()
	}
}

// ServeHTTP takes the first answer with our state. Anybody on this machine can ask:
// what does not know the state changes nothing.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Connection", "close")
	if r.Method != http.MethodGet || r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	answer, err := parseCallback(r.URL.RawQuery, d.state)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, page("This is not the answer to the login that is under way. Start it again."))
		return
	}
	select {
	case d.answer <- answer:
	default:
	}
	text := "This part is done. Close this window: the program goes on, and says whether the login is complete."
	if answer.code == "" {
		text = "The login was refused. Close this window; the program says more."
	}
	_, _ = io.WriteString(w, page(text))
}

func page(text string) string {
	return "<!DOCTYPE html><html lang=\"en\"><title>Kaizen</title><body style=\"font-family:sans-serif;margin:4em\"><p>" + text + "</p></body></html>\n"
}

func (d *desk) wait(ctx context.Context) (code string, err error) {
	select {
	case a := <-d.answer:
		if a.code == "" {
			return "", &Error{Status: http.StatusBadRequest, Code: a.refusal, Description: a.description}
		}
		return a.code, nil
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx))
	}
}
