package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/test/leak"
)

// program is the real one, built once. The race detector is for package test: it
// would make hundreds of runs twice as long.
var program string

// workPrefix begins the name of the folder of a run of these tests.
const workPrefix = "kaizen-secrets"

func TestMain(m *testing.M) {
	code, err := withProgram(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withProgram(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", workPrefix)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "kaizen")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-o", program, "github.com/kaizenmail/kaizen/cmd/kaizen")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	defer watchProcesses()()
	return run(), nil
}

// stage is one user's home, and all that is found there.
type stage struct {
	t      *testing.T
	dir    string
	env    map[string]string
	finder *leak.Finder
	// holders are the files in which secrets may stand: those that hand them in, and
	// keys.
	holders []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{t: t, dir: dir, finder: all, env: map[string]string{
		"KAIZEN_CONFIG_DIR": filepath.Join(dir, "config"), "KAIZEN_STATE_DIR": filepath.Join(dir, "state"), "HOME": dir,
		"PATH": os.Getenv("PATH"), "GOTRACEBACK": "all", "SYSTEMROOT": os.Getenv("SYSTEMROOT"),
	}}
	t.Cleanup(s.searchFiles)
	return s
}

// told is what a run of the program has told.
type told struct {
	stdout, stderr string
	code           int
}

// run runs the program in the stage and searches what it tells.
func (s *stage) run(stdin string, args ...string) told {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	r := told{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	s.search("standard output of kaizen "+args[0], r.stdout)
	s.search("standard error of kaizen "+args[0], r.stderr)
	return r
}

// want runs the program and fails if it does not exit with that code.
func (s *stage) want(code int, stdin string, args ...string) told {
	s.t.Helper()
	r := s.run(stdin, args...)
	if r.code != code {
		s.t.Errorf("kaizen %q exited with %d, want %d: %.600s", args, r.code, code, r.stderr)
	}
	return r
}

func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.dir
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

func (s *stage) search(where, text string) {
	s.t.Helper()
	for _, f := range s.finder.FindString(text) {
		s.t.Errorf("%s: %v", where, f)
	}
}

// searchFiles looks into all files, whoever wrote them.
func (s *stage) searchFiles() {
	s.t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(s.holders, path) {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		s.search(path, string(content)+"\n"+filepath.Base(path))
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// write makes a file; hold makes one in which a secret may stand.
func (s *stage) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *stage) hold(name, content string) string {
	s.t.Helper()
	s.holders = append(s.holders, filepath.Join(s.dir, name))
	return s.write(name, content)
}
