//go:build unix

package accounts_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/accounts"
)

// The command that prints a proxy's password runs once, as that of an account's does.
func TestProxyPasswordCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	write(t, filepath.Join(dir, "kaizen.toml"), `
[accounts.good]
host = "mx"
proxy = "socks5://ann@relay"
proxy_password_command = "echo x >> `+runs+`; echo `+proxySecret+`"
[accounts.bad]
host = "mx"
proxy = "socks5://ann@relay"
proxy_password_command = ["/bin/sh", "-c", "echo x >> `+runs+`; echo no such luck >&2; exit 3"]
`)
	s := open(t, dir)
	for range 3 {
		if a := resolve(t, s, "good"); a.Proxy != "socks5://ann:"+proxySecret+"@relay:1080" {
			t.Error("not its password")
		}
	}
	for range 3 {
		if _, err := s.Account(t.Context(), "bad"); !errors.Is(err, accounts.ErrNoSecret) || !strings.Contains(err.Error(), "no such luck") || !strings.Contains(err.Error(), "bad") {
			t.Error(err)
		}
	}
	if n := strings.Count(read(t, runs), "x"); n != 2 {
		t.Errorf("the commands ran %d times", n)
	}
	must(t, os.Remove(runs))
	s.Forget("good")
	resolve(t, s, "good")
	if n := strings.Count(read(t, runs), "x"); n != 1 {
		t.Errorf("after Forget it ran %d times", n)
	}
}
