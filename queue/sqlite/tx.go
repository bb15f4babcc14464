package sqlite

import (
	"github.com/kaizenmail/kaizen/queue"
)

// tx is a transaction of the writer.
type tx struct {
	*conn
	s     *Store
	op    *operation // the one that runs
	tally map[tallied]int64
	fresh map[string]int64 // lanes that it made
	woken map[int64]bool   // lanes in which there may be more to claim
	drawn span             // IDs it reserved

	onCommit []func()
}

type tallied struct {
	lane  int64
	state byte
}

func (s *Store) transaction() *tx {
	return &tx{conn: s.writer, s: s, tally: map[tallied]int64{}, woken: map[int64]bool{}}
}

// finish writes what is written once for all operations.
func (t *tx) finish() error {
	for at, n := range t.tally {
		if n == 0 {
			continue
		}
		if err := t.run("INSERT INTO tally VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + ?3", at.lane, string(at.state), n); err != nil {
			return err
		}
	}
	if !t.s.delivers() {
		for lane := range t.woken {
			if err := t.run("INSERT OR IGNORE INTO touched VALUES(?)", lane); err != nil {
				return err
			}
		}
	}
	return t.draw()
}

// committed tells the rest of the process.
func (t *tx) committed() {
	t.s.lost = nil
	t.s.lanes.learn(t.fresh)
	t.s.ids.add(t.drawn)
	for _, do := range t.onCommit {
		do()
	}
	if len(t.woken) == 0 {
		return
	}
	names := make([]string, 0, len(t.woken))
	for id := range t.woken {
		if name, ok := t.s.lanes.name(id); ok {
			names = append(names, name)
		}
	}
	t.s.note(names)
}

func (t *tx) rolledBack() { t.drawn = span{} }

// wake notes that there may be more to claim in a lane.
func (t *tx) wake(lane int64) { t.woken[lane] = true }

// count moves a job from one state of a lane to another one; 0 is none.
func (t *tx) count(lane int64, from, to byte) {
	if from != 0 {
		t.tally[tallied{lane, from}]--
	}
	if to != 0 {
		t.tally[tallied{lane, to}]++
	}
}

// The letters of the states. That of Active is in tally only.
var letters = [...]byte{queue.Queued: 'q', queue.Active: 'a', queue.Held: 'h', queue.Sent: 's', queue.Failed: 'f', queue.Expired: 'e', queue.Cancelled: 'c'}

// stateOf is the state of a letter, 0 if there is none.
func stateOf(letter byte) queue.State {
	for state, l := range letters {
		if l == letter && letter != 0 {
			return queue.State(state)
		}
	}
	return 0
}
