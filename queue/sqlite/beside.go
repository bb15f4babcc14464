package sqlite

import "path/filepath"

// StateDir is a folder beside the queue for what else must outlive a process that
// delivers from it; see kaizen.Config.StateDir, whose default it is.
func (s *Store) StateDir() string { return filepath.Join(s.dir, "state") }
