package oauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

// program builds the real program, once.
var program = sync.OnceValues(func() (string, error) {
	file := filepath.Join(workshop, "kaizen")
	build := exec.Command("go", "build", "-o", file, "./cmd/kaizen")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// watched is output that is read while it is written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.grew <- struct{}{}:
	default:
	}
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until the output has what is looked for.
func (w *watched) await(ctx context.Context, pattern *regexp.Regexp) []string {
	for {
		if found := pattern.FindStringSubmatch(w.String()); found != nil {
			return found
		}
		select {
		case <-w.grew:
		case <-ctx.Done():
			return nil
		}
	}
}

// run runs the program; person sees what it says while it runs.
func (p *post) run(t *testing.T, person func(context.Context, *watched) error, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file, err := program()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, said := new(bytes.Buffer), &watched{grew: make(chan struct{}, 1)}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Env = append(os.Environ(), "KAIZEN_CONFIG_DIR="+p.dir, "KAIZEN_STATE_DIR="+filepath.Join(p.dir, "state"))
	cmd.Stdout, cmd.Stderr = out, said
	must(t, cmd.Start())
	if person != nil {
		if err := person(ctx, said); err != nil {
			t.Error(err)
		}
	}
	_ = cmd.Wait() // the code says it
	noToken(t, strings.Join(args, " "), out.String()+said.String(), p.known...)
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

var (
	address = regexp.MustCompile(`(?m)^  (http://\S+)$`)
	typed   = regexp.MustCompile(`(?ms)^  (http://\S+)$.*^  ([A-Z-]+)$`)
)

func follow(ctx context.Context, said *watched) error {
	found := said.await(ctx, address)
	if found == nil {
		return fmt.Errorf("no address in %s", said)
	}
	return browse(found[1])
}

func typing(ctx context.Context, said *watched) error {
	found := said.await(ctx, typed)
	if found == nil {
		return fmt.Errorf("no code in %s", said)
	}
	return typeIn(found[1], found[2], "allowed")
}

// remember has everything that is printed from now on searched for the token.
func (p *post) remember(t *testing.T) oauth.Token {
	t.Helper()
	token, err := p.store(t).Token(t.Context(), "work")
	must(t, err)
	p.known = append(p.known, token)
	return token
}

func TestProgram(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	expect := func(code int, stdout, stderr string) func(int, string, string) {
		return func(gotCode int, gotOut, gotErr string) {
			t.Helper()
			if gotCode != code || !regexp.MustCompile(stdout).MatchString(gotOut) || !regexp.MustCompile(stderr).MatchString(gotErr) {
				t.Errorf("exit code %d, want %d\n%s\n%s", gotCode, code, gotOut, gotErr)
			}
		}
	}
	expect(78, "", "kaizen account login work")(p.run(t, nil, "account", "test", "work"))
	expect(0, "work is logged in with the authorization server\n.*since .*\n.*access token until .*renewed by itself\nScopes +openid email offline_access", "Waiting")(p.run(t, follow, "account", "login", "work"))
	p.remember(t)
	expect(0, "Login +OAuth 2\n +since .*\n +access token until", "")(p.run(t, nil, "account", "show", "work"))
	expect(0, "", "")(p.run(t, nil, "account", "test", "work", "--transcript"))
	expect(0, "", "")(p.run(t, nil, "send", "--account", "work", "--to", "bob@example.net", "--subject", "Hello", "--text", "Hello", "--transcript"))

	// The consent is withdrawn, and the token ends.
	p.authority.library.lasting(ended)
	expect(0, "", "Open this address on any device")(p.run(t, typing, "account", "login", "work", "--flow", "device"))
	token := p.remember(t)
	p.authority.revoke(t, token.Refresh)
	p.authority.library.endAll()
	sending := []string{"send", "--account", "work", "--to", "bob@example.net", "--subject", "Hello", "--text", "Hello"}
	expect(77, "", "invalid_grant.*kaizen account login work")(p.run(t, nil, sending...))
	before := p.authority.asked.Load()
	expect(77, "", "stopped since.*kaizen account login work(.|\n)*'kaizen account login work' logs in again")(p.run(t, nil, sending...))
	if p.authority.asked.Load() != before {
		t.Error("a stopped account asks for tokens")
	}
	expect(69, "'kaizen account login work' logs in again", "")(p.run(t, nil, "status", "work"))

	// A new login lifts the stop.
	p.authority.library.lasting(5 * time.Minute)
	code, out, said := p.run(t, follow, "account", "login", "work", "--flow", "code", "--json")
	var report struct {
		Verified bool
		Login    struct{ Renews bool }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 || !report.Verified || !report.Login.Renews {
		t.Errorf("%d %v %s %s", code, err, out, said)
	}
	p.remember(t)
	expect(0, "", "")(p.run(t, nil, sending...))
	expect(0, "", "")(p.run(t, nil, "account", "rekey"))
	expect(0, "", "")(p.run(t, nil, sending...))
	expect(0, "Logged work out, here and at the provider", "")(p.run(t, nil, "account", "logout", "work"))
	expect(78, "", "nobody has logged in")(p.run(t, nil, sending...))
	if got := p.server.Stats().Accepted; got != 3 {
		t.Errorf("%d messages", got)
	}
}

func TestNobodyLogsIn(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	code, _, said := p.run(t, nil, "account", "login", "work", "--timeout", "300ms")
	if code != 75 || !strings.Contains(said, "nobody has logged in within --timeout") {
		t.Errorf("%d %s", code, said)
	}
}

// An account that is to change over from its password keeps it until the login is
// there; nobody but the mail server has it.
func TestChangeOverFromAPassword(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	host, port, _ := strings.Cut(p.server.Addr(), ":")
	file := filepath.Join(p.dir, "accounts.d", "old.toml")
	write(t, file, fmt.Sprintf("address = %q\nhost = %q\nport = %s\ntls = \"none\"\npassword_env = \"PLANTED\"\n", mailbox, host, port))
	code, _, said := p.run(t, nil, "account", "login", "old", "--client-id", "native")
	if code != 78 || !strings.Contains(said, "oauth.provider=google") {
		t.Errorf("%d %s", code, said)
	}
	write(t, file, fmt.Sprintf("address = %q\nhost = \"smtp.gmail.com\"\nprovider = \"gmail\"\npassword_env = \"PLANTED\"\n", mailbox))
	code, _, said = p.run(t, nil, "account", "login", "old", "--client-id", "native", "--timeout", "300ms")
	content, err := os.ReadFile(file)
	must(t, err)
	if code != 75 || !strings.Contains(said, "goes on with its password") || strings.Contains(string(content), "oauth") || !strings.Contains(string(content), "PLANTED") {
		t.Errorf("%d %s\n%s", code, said, content)
	}
}

func TestProgramsWithoutAPerson(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	key := filepath.Join(p.dir, "robot.json")
	write(t, key, string(p.authority.serviceKey(t)))
	secret := filepath.Join(p.dir, "secret")
	write(t, secret, serviceSecret+"\n")
	for name, args := range map[string][]string{
		"robot":  {"--key-file", key},
		"client": {"--flow", "client-credentials", "--client-id", "sid1", "--client-secret-file", secret},
	} {
		host, port, _ := strings.Cut(p.server.Addr(), ":")
		write(t, filepath.Join(p.dir, "accounts.d", name+".toml"), fmt.Sprintf("address = %q\nhost = %q\nport = %s\ntls = \"none\"\noauth.scopes = [\"openid\"]\n", robot, host, port))
		if name == "client" {
			args = append(args, "--no-verify") // of no effect but on the login at the mail server
			must(t, appendTo(filepath.Join(p.dir, "accounts.d", name+".toml"), fmt.Sprintf("oauth.token_url = %q\n", p.authority.url+"/oauth/token")))
		}
		code, out, said := p.run(t, nil, append([]string{"account", "login", name}, args...)...)
		if code != 0 || strings.Contains(out+said, "PRIVATE KEY") || strings.Contains(out+said, serviceSecret) {
			t.Errorf("%s: %d %s %s", name, code, out, said)
		}
		for range 2 {
			before := p.authority.asked.Load()
			if code, out, said := p.run(t, nil, "account", "test", name); code != 0 || p.authority.asked.Load() != before {
				t.Errorf("%s: %d %s %s", name, code, out, said)
			}
		}
	}
}

func appendTo(file, text string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, text...), 0o600)
}
