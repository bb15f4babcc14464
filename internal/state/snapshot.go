package state

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/kaizenmail/kaizen/internal/safefile"
)

// Snapshot is how a process is doing.
type Snapshot struct {
	PID     int             `json:"pid"`
	Program string          `json:"program"`
	Started time.Time       `json:"started"` // when it joined
	Written time.Time       `json:"written"`
	Content json.RawMessage `json:"content"`
}

// Publish shows others how this process is doing.
func (d *Dir) Publish(content any) error {
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	s := Snapshot{PID: os.Getpid(), Program: filepath.Base(os.Args[0]), Started: d.joined, Written: time.Now(), Content: raw}
	return replace(d.processFile(d.id, ".json"), s, safefile.Anything)
}

// Snapshots are those of all processes that are alive and have published one.
func (d *Dir) Snapshots() ([]Snapshot, error) {
	ids, err := d.processes()
	if err != nil {
		return nil, err
	}
	var all []Snapshot
	for _, id := range ids {
		var s Snapshot
		if !d.lives(id) {
			continue
		}
		damaged, err := read(d.processFile(id, ".json"), &s)
		if err == nil && !damaged && s.PID != 0 {
			all = append(all, s)
		}
	}
	return all, nil
}
