package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// apt downloads packages of one Debian release, whatever the machine's own is,
// into a folder of its own.
type apt struct {
	dir   string
	mu    sync.Mutex        // one apt-get at a time; guards the map
	plans map[string]string // by the packages asked for
}

// release is the Debian whose servers are tried. Debian 12 will not do: its
// OpenSMTPD cannot do TLS (OpenSMTPD issue 1171).
func release() string {
	if suite := os.Getenv("INTEROP_RELEASE"); suite != "" {
		return suite
	}
	return "trixie"
}

func newApt(t *testing.T, release string) *apt {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	a := &apt{dir: filepath.Join(cache, "kaizen-interop", release), plans: map[string]string{}}
	for _, dir := range []string{"lists/partial", "archives/partial", "none"} {
		must(t, os.MkdirAll(filepath.Join(a.dir, dir), 0o755))
	}
	source := "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " + mirror() + " " + release + " main\n"
	must(t, os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(source), 0o644))
	return a
}

// mirror is where the machine itself gets Debian's packages.
func mirror() string {
	known, _ := exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	for _, uri := range strings.Fields(string(known)) {
		if strings.HasSuffix(uri, "/debian/") {
			return uri
		}
	}
	return "http://deb.debian.org/debian/"
}

// download returns the plan of an installation onto an empty machine, whose
// packages are then in the folder. The list of packages is fetched if it is not
// there or out of date.
func (a *apt) download(t *testing.T, w *workshop, packages []string) (plan string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := strings.Join(packages, " ")
	if plan, known := a.plans[asked]; known {
		return plan
	}
	install := append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)
	if _, err := a.get(w, append(install, "--download-only")...); err != nil {
		if said, err := a.get(w, "update", "-q"); err != nil {
			t.Fatalf("apt-get update: %v\n%s", err, said)
		}
		if said, err := a.get(w, append(install, "--download-only")...); err != nil {
			t.Fatalf("download %v: %v\n%s", packages, err, said)
		}
	}
	plan, err := a.get(w, append(install, "--simulate")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, plan)
	}
	a.plans[asked] = plan
	return plan
}

// get runs apt-get as if nothing were installed: it names all that is needed, and
// no lock of the machine is taken.
func (a *apt) get(w *workshop, arguments ...string) (string, error) {
	var settings []string
	for _, setting := range []string{
		"Dir::Etc::sourcelist=" + filepath.Join(a.dir, "sources.list"), "Dir::Etc::sourceparts=" + filepath.Join(a.dir, "none"),
		"Dir::State::lists=" + filepath.Join(a.dir, "lists"), "Dir::State::status=/dev/null",
		"Dir::State::extended_states=" + filepath.Join(w.dir, "states"),
		"Dir::Cache::archives=" + filepath.Join(a.dir, "archives"), "Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=",
		"Debug::NoLocking=1", "APT::Sandbox::User=root", "Acquire::Languages=none",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	} {
		settings = append(settings, "-o", setting)
	}
	cmd := exec.Command("apt-get", append(settings, arguments...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	said, err := cmd.CombinedOutput()
	return string(said), err
}
