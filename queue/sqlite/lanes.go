package sqlite

import (
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// lanes are the numbers of lanes that are known to be committed. They never change.
type lanes struct {
	mu    sync.RWMutex
	ids   map[string]int64
	names map[int64]string
}

func (l *lanes) id(name string) (int64, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	id, ok := l.ids[name]
	return id, ok
}

func (l *lanes) name(id int64) (string, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	name, ok := l.names[id]
	return name, ok
}

func (l *lanes) learn(fresh map[string]int64) {
	if len(fresh) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, id := range fresh {
		l.ids[name], l.names[id] = id, name
	}
}

// laneID finds a lane; 0 if there is none.
func (s *Store) laneID(c *conn, name string) (int64, error) {
	if id, ok := s.lanes.id(name); ok {
		return id, nil
	}
	id, _, err := c.number("SELECT id FROM lane WHERE name=?", name)
	return id, err
}

// laneName finds the name of a lane.
func (s *Store) laneName(c *conn, id int64) (name string, err error) {
	if name, ok := s.lanes.name(id); ok {
		return name, nil
	}
	err = c.query(func(st *sqlite3.Stmt) bool {
		name = st.ColumnText(0)
		return false
	}, "SELECT name FROM lane WHERE id=?", id)
	return name, err
}

// lane finds a lane, or makes it.
func (t *tx) lane(name string) (int64, error) {
	if id, ok := t.fresh[name]; ok {
		return id, nil
	}
	id, err := t.s.laneID(t.conn, name)
	if err != nil {
		return 0, err
	}
	if id == 0 {
		if err := t.run("INSERT INTO lane(name) VALUES(?)", name); err != nil {
			return 0, err
		}
		id = t.LastInsertRowID()
	}
	if _, ok := t.s.lanes.id(name); !ok {
		if t.fresh == nil {
			t.fresh = map[string]int64{}
		}
		t.fresh[name] = id
	}
	return id, nil
}
