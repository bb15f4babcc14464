package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// debian is a folder with the files of some Debian packages and all that they
// depend on, good enough as the root of a server. Mail servers conflict with each
// other and cannot be installed side by side; unpacked like this they can, and
// nothing of the machine is changed.
type debian struct {
	root     string
	versions map[string]string // by package
}

// It is unpacked once; a server that is started again finds its folder as it
// left it.
func unpackDebian(t *testing.T, w *workshop, packages ...string) *debian {
	t.Helper()
	return unpackFrom(t, w, w.apt, packages...)
}

// unpackFrom takes the packages from another release.
func unpackFrom(t *testing.T, w *workshop, from *apt, packages ...string) *debian {
	t.Helper()
	w.mu.Lock()
	d := w.unpacked[packages[0]]
	w.mu.Unlock()
	if d != nil {
		return d
	}
	packages = append(packages, "dash") // some servers deliver through a shell
	plan := from.download(t, w, packages)
	root, err := os.MkdirTemp(w.dir, packages[0]+"-")
	must(t, err)
	d = &debian{root, map[string]string{}}
	for _, m := range regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) .*?\[(\w+)\]`).FindAllStringSubmatch(plan, -1) {
		name, version, architecture := m[1], m[2], m[3]
		d.versions[name] = version
		file := fmt.Sprintf("%s_%s_%s.deb", name, strings.ReplaceAll(version, ":", "%3a"), architecture)
		run(t, exec.Command("dpkg-deb", "-x", filepath.Join(from.dir, "archives", file), d.root))
	}
	d.furnish(t, w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unpacked[packages[0]] = d
	return d
}

// The users of the servers, none of them known to the machine.
const (
	passwd = `root:x:0:0::/:/bin/sh
postfix:x:20101:20101::/:/bin/sh
dovecot:x:20102:20102::/:/bin/sh
dovenull:x:20103:20103::/:/bin/sh
Debian-exim:x:20104:20104::/:/bin/sh
opensmtpd:x:20105:20105::/var/lib/opensmtpd/empty:/bin/sh
opensmtpq:x:20106:20106::/:/bin/sh
bob:x:20107:20107::/home/bob:/bin/sh
eve:x:20107:20107::/home/eve:/bin/sh
nobody:x:65534:65534::/:/bin/sh
`
	group = `root:x:0:
postfix:x:20101:
dovecot:x:20102:
dovenull:x:20103:
Debian-exim:x:20104:
opensmtpd:x:20105:
opensmtpq:x:20106:
vmail:x:20107:
mail:x:8:
postdrop:x:20108:
nogroup:x:65534:
`
	mailUser = 20107
)

// furnish adds what packages make when they are installed, and mailboxes.
func (d *debian) furnish(t *testing.T, w *workshop) {
	t.Helper()
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if _, err := os.Lstat(filepath.Join(d.root, name)); os.IsNotExist(err) {
			must(t, os.Symlink("usr/"+name, filepath.Join(d.root, name)))
		}
	}
	if _, err := os.Stat(filepath.Join(d.root, "bin/sh")); err != nil {
		must(t, os.Symlink("dash", filepath.Join(d.root, "bin/sh")))
	}
	d.write(t, "etc/passwd", passwd, 0o644)
	d.write(t, "etc/group", group, 0o644)
	d.write(t, "etc/hosts", "127.0.0.1 localhost\n", 0o644)
	d.write(t, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\n", 0o644)
	d.write(t, "etc/mailname", "mx."+domain+"\n", 0o644)
	d.write(t, "etc/interop/cert.pem", string(w.cert), 0o644)
	d.write(t, "etc/interop/key.pem", string(w.key), 0o600)
	for name, minor := range map[string]int{"null": 3, "zero": 5, "random": 8, "urandom": 9} {
		d.device(t, name, minor)
	}
	for _, dir := range []string{"tmp", "run", "var/run", "var/log", "home/bob", "home/eve"} {
		must(t, os.MkdirAll(d.path(dir), 0o755))
	}
	must(t, os.Chmod(d.path("tmp"), 0o1777))
	d.own(t, mailUser, "home/bob", "home/eve")
}

func (d *debian) path(name string) string { return filepath.Join(d.root, name) }

func (d *debian) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(d.path(name)), 0o755))
	must(t, os.WriteFile(d.path(name), []byte(content), mode))
	must(t, os.Chmod(d.path(name), mode))
}

func (d *debian) own(t *testing.T, id int, names ...string) {
	t.Helper()
	for _, name := range names {
		must(t, os.MkdirAll(d.path(name), 0o755))
		must(t, os.Chown(d.path(name), id, id))
	}
}

func (d *debian) device(t *testing.T, name string, minor int) {
	t.Helper()
	path := d.path("dev/" + name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|minor); err != nil {
		t.Fatalf("make %s: %v (this needs a root that may make devices)", path, err)
	}
	must(t, os.Chmod(path, 0o666))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("%v (set TMPDIR to a file system that is not mounted nodev)", err)
	}
	f.Close()
}
