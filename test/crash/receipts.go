package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

// receiptsFollowSyncs puts letters one by one and looks at the system calls: all
// that was written for a letter, its folders too, is synchronised before its receipt
// is given. That is what is left when the power supply is lost.
func receiptsFollowSyncs(r *run) (violations []string, err error) {
	trace := filepath.Join(r.dir, "trace")
	prefix := []string{"strace", "-f", "-qq", "-y", "-s", "100", "-o", trace,
		"-e", "trace=write,pwrite64,fsync,fdatasync,renameat,renameat2,linkat,mkdirat"}
	var letters []task.Letter
	for _, letter := range r.letters[:100] {
		letter.Durability, letter.Then = queue.Disk, ""
		letters = append(letters, letter)
	}
	r.letters = letters
	r.ledger = newLedger()
	r.ledger.add(producer, letters)
	w, in, err := launch(producer, nil, r.ledger, prefix, r.programs.child, "work", "-callers", "1", "-dir", r.folder)
	if err != nil {
		return nil, err
	}
	open := make(chan struct{})
	close(open)
	feed(in, letters, open, w.exited)
	<-w.exited
	if w.err != nil {
		return []string{fmt.Sprintf("%v: %s", w.err, w.said.String())}, nil
	}
	r.stocked = true
	file, err := os.Open(trace)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	receipts, violations := readReceipts(file, r.folder)
	r.say("%d receipts;", receipts)
	if receipts != len(letters) {
		violations = append(violations, fmt.Sprintf("%d receipts for %d letters", receipts, len(letters)))
	}
	return violations, nil
}

var (
	started = regexp.MustCompile(`^(\d+) +(\w+)\((?:(\d+|AT_FDCWD)<([^>]*)>|AT_FDCWD)`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*= 0$`)
	quoted  = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// disk is what is written and not synchronised, as far as the calls tell.
type disk struct {
	folder  string
	dirty   map[string]bool
	waiting map[string]string // what a thread is synchronising
	written bool              // to the log, since the last receipt
}

// readReceipts follows the calls. Names are those of files in the folder.
func readReceipts(trace io.Reader, folder string) (receipts int, violations []string) {
	d := disk{folder: folder, dirty: map[string]bool{}, waiting: map[string]string{}}
	lines := bufio.NewScanner(trace)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.Contains(line, `write(1<`) || !strings.Contains(line, `{\"what\":\"queued\"`) {
			d.follow(line)
			continue
		}
		receipts++
		if !d.written {
			violations = append(violations, fmt.Sprintf("receipt %d: nothing was written before", receipts))
		}
		d.written = false
		for name := range d.dirty {
			violations = append(violations, fmt.Sprintf("receipt %d: %s was written and not synchronised before", receipts, name))
		}
	}
	slices.Sort(violations)
	return receipts, violations
}

func (d *disk) follow(line string) {
	if m := resumed.FindStringSubmatch(line); m != nil {
		delete(d.dirty, d.waiting[m[1]])
		delete(d.waiting, m[1])
		return
	}
	m := started.FindStringSubmatch(line)
	if m == nil {
		return
	}
	switch name := m[4]; m[2] {
	case "write", "pwrite64":
		d.write(name)
	case "fsync", "fdatasync":
		if strings.HasSuffix(line, "= 0") {
			delete(d.dirty, name)
		} else {
			d.waiting[m[1]] = name
		}
	default: // a name was made
		names := quoted.FindAllStringSubmatch(line, -1)
		if made := names[len(names)-1][1]; strings.HasPrefix(made, d.folder) && made != d.folder {
			d.dirty[path.Dir(made)] = true
		}
	}
}

// write notes what must not be lost: the log and bodies. The database is written
// from the log, which is kept as long.
func (d *disk) write(name string) {
	log := strings.HasPrefix(name, d.folder) && strings.HasSuffix(name, "-wal")
	if log || strings.HasPrefix(name, d.folder+"/bodies/") {
		d.dirty[name] = true
	}
	d.written = d.written || log
}
