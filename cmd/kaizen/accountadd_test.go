package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names answers for example.com.
type names struct {
	srv []*net.SRV // of _submissions._tcp
	mx  []*net.MX
	err error
}

func (n names) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	if service == "submissions" && len(n.srv) > 0 {
		return name, n.srv, nil
	}
	return name, nil, n.missing(name)
}

func (n names) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if len(n.mx) > 0 {
		return n.mx, nil
	}
	return nil, n.missing(name)
}

func (n names) missing(name string) error {
	if n.err != nil {
		return n.err
	}
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// addAccount runs "kaizen account add" as a script does.
func addAccount(t *testing.T, resolver names, args ...string) (code exitCode, settings, stderr string) {
	t.Helper()
	dir := t.TempDir()
	variables := map[string]string{"KAIZEN_CONFIG_DIR": dir, "KAIZEN_STATE_DIR": filepath.Join(dir, "state"), "SECRET": "fish7"}
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, resolver: resolver,
		lookupEnv: func(name string) (string, bool) { v, ok := variables[name]; return v, ok }}
	code = run(a, append([]string{"account", "add", "--address", "ann@example.com", "--name", "a", "--no-verify", "--password-env", "SECRET"}, args...))
	content, err := os.ReadFile(filepath.Join(dir, "accounts.d", "a.toml"))
	if (err == nil) != (code == exitOK) {
		t.Errorf("exit code %d, and the file: %v", code, err)
	}
	return code, string(content), errs.String()
}

func TestAccountAddFindsTheServer(t *testing.T) {
	t.Parallel()
	own := []*net.SRV{{Target: "mail.example.com.", Port: 465}}
	foreign := []*net.SRV{{Target: "mail.example.net.", Port: 465}}
	google := []*net.MX{{Host: "aspmx.l.google.com.", Pref: 1}}
	for _, tt := range []struct {
		name     string
		resolver names
		args     []string
		code     exitCode
		settings []string // parts
		stderr   string   // part
	}{
		{"an SRV record of the domain", names{srv: own}, nil, exitOK, []string{"host = 'mail.example.com'", "port = 465", "username = 'ann@example.com'"}, ""},
		{"one that names a host elsewhere", names{srv: foreign}, nil, exitUsage, nil, "which is not of the domain example.com"},
		{"the same, agreed to", names{srv: foreign}, []string{"--yes"}, exitOK, []string{"host = 'mail.example.net'"}, ""},
		{"the MX of a provider", names{mx: google}, nil, exitOK, []string{"provider = 'google-workspace'"}, ""},
		{"nothing", names{}, nil, exitUsage, nil, "no server is known for example.com: give --provider NAME or --server URL"},
		{"mail from programs is not wanted", names{srv: []*net.SRV{{Target: "."}}, mx: google}, nil, exitUsage, nil, "example.com publishes that it takes no mail from programs: give --provider NAME"},
		{"no answer", names{err: &net.DNSError{Err: "server misbehaving", Name: "example.com", IsTemporary: true}}, nil, exitUsage, nil, "warning: look up SRV records of _submissions._tcp.example.com"},
		{"a provider that was named needs no DNS", names{err: &net.DNSError{Err: "server misbehaving"}}, []string{"--provider", "mailjet", "--username", "key"}, exitOK, []string{"provider = 'mailjet'", "username = 'key'"}, ""},
		{"the user name that everybody has", names{}, []string{"--provider", "SendGrid"}, exitOK, []string{"provider = 'sendgrid'"}, ""},
		{"a URL beside a provider", names{}, []string{"--provider", "ses-us-east-1", "--server", "smtps://AKIA@email-smtp.eu-west-9.amazonaws.com"}, exitOK,
			[]string{"provider = 'ses-us-east-1'", "host = 'email-smtp.eu-west-9.amazonaws.com'", "username = 'AKIA'"}, ""},
		{"limits", names{}, []string{"--provider", "gmail", "--rate", "30/1m", "--rate", "500 recipients/day", "--connections", "2"}, exitOK,
			[]string{"rates = ['30/1m', '500 recipients/day']", "connections = 2"}, ""},
		{"limits in a URL", names{}, []string{"--server", "smtp://mail.example.com?rate=30/1m,500/24h&connections=2"}, exitOK,
			[]string{"rates = ['30/minute', '500/day']", "connections = 2", "username = 'ann@example.com'"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, settings, stderr := addAccount(t, tt.resolver, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, stderr)
			}
			for _, part := range tt.settings {
				if !strings.Contains(settings, part) {
					t.Errorf("no %q in the settings:\n%s", part, settings)
				}
			}
			if !strings.Contains(stderr, tt.stderr) || strings.Contains(stderr+settings, "fish7") {
				t.Errorf("standard error: %s", stderr)
			}
		})
	}
}
