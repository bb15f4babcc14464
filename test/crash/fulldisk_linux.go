package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// small is a file system in memory.
type small struct{ dir string }

func needsMount() string {
	if os.Geteuid() != 0 {
		return "mounting a small file system needs root"
	}
	return ""
}

func mount(dir string, size int) (*small, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	return &small{dir}, nil
}

func (s *small) grow(size int) error {
	return syscall.Mount("tmpfs", s.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

func (s *small) unmount() error { return syscall.Unmount(s.dir, syscall.MNT_DETACH) }

// fill takes all space that is left; empty gives it back.
func (s *small) fill() error {
	file, err := os.Create(s.ballast())
	if err != nil {
		return err
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = file.Write(block)
	}
	if closeErr := file.Close(); !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(err, closeErr)
	}
	return nil
}

func (s *small) empty() error    { return os.Remove(s.ballast()) }
func (s *small) ballast() string { return filepath.Join(s.dir, "ballast") }

const mega = 1 << 20

// fullWhileQueueing gives the queue less space than the letters need, and more as
// soon as some were refused.
func fullWhileQueueing(r *run) (violations []string, err error) {
	disk, err := mount(r.dir, 3*mega)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, disk.unmount()) }()
	r.folder = filepath.Join(r.dir, "queue")
	for i := range r.letters {
		e := r.ledger.entries[r.letters[i].Key]
		r.letters[i].Size = 30_000
		e.letter.Size = 30_000
	}
	enlarged := make(chan error, 1)
	r.ledger.onRefusal = func(n int) {
		if n == 20 {
			enlarged <- disk.grow(256 * mega)
		}
	}
	if violations, err = r.live(); err != nil || len(violations) > 0 {
		return violations, err
	}
	select {
	case err = <-enlarged:
	default:
		violations = append(violations, "nothing was refused on a full disk")
	}
	said := r.ledger.complaints()
	for _, want := range []string{"no space left", "free space", r.folder} {
		if !strings.Contains(said, want) {
			violations = append(violations, fmt.Sprintf("no error says %q: %q", want, said))
		}
	}
	r.say("%d letters refused;", r.ledger.forgive())
	if err == nil {
		var more []string
		more, err = r.live()
		violations = append(violations, more...)
	}
	more, stockErr := r.takeStock() // before the file system goes
	r.stocked = true
	return append(violations, more...), errors.Join(err, stockErr)
}

// fullWhileDelivering takes the space away, again and again, when letters are on
// their way.
func fullWhileDelivering(r *run) (violations []string, err error) {
	disk, err := mount(r.dir, 64*mega)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, disk.unmount()) }()
	r.folder = filepath.Join(r.dir, "queue")
	var full atomic.Bool
	var times atomic.Int64
	trouble := make(chan error, 1000)
	r.ledger.onTick = func(n int) {
		if n%500 != 100 || !full.CompareAndSwap(false, true) {
			return
		}
		times.Add(1)
		if err := disk.fill(); err != nil {
			trouble <- err
			return
		}
		time.AfterFunc(400*time.Millisecond, func() {
			err := disk.empty()
			full.Store(false)
			trouble <- err
		})
	}
	violations, err = r.live()
	for range times.Load() {
		err = errors.Join(err, <-trouble)
	}
	if times.Load() == 0 {
		violations = append(violations, "the disk was never full")
	}
	r.ledger.onTick = func(int) {}
	r.say("full %d times, %d letters refused;", times.Load(), r.ledger.forgive())
	if err == nil && len(violations) == 0 {
		violations, err = r.live()
	}
	more, stockErr := r.takeStock()
	r.stocked = true
	return append(violations, more...), errors.Join(err, stockErr)
}
