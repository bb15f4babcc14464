package accounts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/accounts"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "work", "ann+list@example.com", "A_b-c.1", strings.Repeat("x", 64), "default", "console", "com10", "-"} {
		if err := accounts.CheckName(good); err != nil {
			t.Error(err)
		}
	}
	dir := t.TempDir()
	s := open(t, dir)
	for _, bad := range []string{"", ".", "..", ".settings", "../x", "a/b", `a\b`, "a b", "a\x00", "a\n", "ä", strings.Repeat("x", 65), "a:b", "~a ",
		"C:", "a*", "con", "NUL.x", "com1", "Lpt9.toml", "x."} {
		if accounts.CheckName(bad) == nil {
			t.Errorf("%q is taken for a name", bad)
		}
		e := work()
		e.Name = bad
		if err := s.Put(t.Context(), e); err == nil {
			t.Errorf("%q was written", bad)
		}
	}
	if files, err := os.ReadDir(filepath.Join(dir, "accounts.d")); err == nil && len(files) > 0 {
		t.Error(files)
	}
}

func TestDirs(t *testing.T) {
	t.Setenv("KAIZEN_CONFIG_DIR", "/etc/kaizen")
	t.Setenv("KAIZEN_STATE_DIR", "/var/lib/kaizen")
	config, err := accounts.DefaultDir()
	must(t, err)
	state, err := accounts.DefaultStateDir()
	must(t, err)
	if filepath.ToSlash(config[len(filepath.VolumeName(config)):]) != "/etc/kaizen" || filepath.ToSlash(state[len(filepath.VolumeName(state)):]) != "/var/lib/kaizen" {
		t.Error(config, state)
	}
	t.Setenv("KAIZEN_CONFIG_DIR", "")
	t.Setenv("KAIZEN_STATE_DIR", "")
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData", "LocalAppData"} {
		t.Setenv(name, t.TempDir())
	}
	config, err = accounts.DefaultDir()
	must(t, err)
	t.Setenv("XDG_STATE_HOME", "relative is ignored")
	state, err = accounts.DefaultStateDir()
	must(t, err)
	if filepath.Base(config) != "kaizen" || !strings.Contains(state, "kaizen") || !filepath.IsAbs(state) {
		t.Error(config, state)
	}
}
