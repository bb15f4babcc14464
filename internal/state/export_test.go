package state

import "path/filepath"

// Die ends the process that d stands for, as a kill does.
func (d *Dir) Die() error { return d.alive.Close() }

// FileName is fileName.
var FileName = fileName

// IsMine reports whether a lock file is that of d.
func (d *Dir) IsMine(lock string) bool { return filepath.Base(lock) == d.id+".lock" }
