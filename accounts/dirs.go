package accounts

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// DefaultDir is the configuration directory: KAIZEN_CONFIG_DIR, else "kaizen" in
// os.UserConfigDir.
func DefaultDir() (string, error) { return defaultDir(os.LookupEnv) }

func defaultDir(lookup func(string) (string, bool)) (string, error) {
	if dir, _ := lookup("KAIZEN_CONFIG_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the configuration directory: %w (set KAIZEN_CONFIG_DIR)", err)
	}
	return filepath.Join(dir, "kaizen"), nil
}

// DefaultStateDir is where a program keeps what it learns while it runs:
// KAIZEN_STATE_DIR, else XDG_STATE_HOME/kaizen, else ~/.local/state/kaizen; on
// macOS ~/Library/Application Support/kaizen/state, on Windows
// %LocalAppData%\kaizen\state.
func DefaultStateDir() (string, error) {
	if dir := os.Getenv("KAIZEN_STATE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := systemStateDir(runtime.GOOS)
	if err != nil {
		return "", fmt.Errorf("find the state directory: %w (set KAIZEN_STATE_DIR)", err)
	}
	return dir, nil
}

func systemStateDir(system string) (string, error) {
	switch system {
	case "darwin":
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, "kaizen", "state"), err
	case "windows":
		dir, err := os.UserCacheDir() // %LocalAppData%
		return filepath.Join(dir, "kaizen", "state"), err
	}
	// A relative path there is to be ignored (XDG Base Directory Specification).
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "kaizen"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "kaizen"), err
}

// inDir makes a path of a settings file absolute: it is relative to the
// configuration directory, and ~/ is the home directory.
func inDir(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
