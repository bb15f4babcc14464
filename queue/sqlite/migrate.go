package sqlite

import (
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen/internal/crashpoint"
)

// VersionError says that a queue cannot be opened by this program.
type VersionError struct {
	Path        string // of the database
	Found, Know int    // versions of its schema
}

// Error tells what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the queue %s was written by a newer version of this program (its schema is %d, this program knows %d): use that version, or let it finish what is in the queue first", e.Path, e.Found, e.Know)
}

// errForeign says that the database is somebody else's.
var errForeign = errors.New("it is a database, but no queue: choose another folder")

// migrate makes the database what this program expects, one step in one
// transaction after the other.
func (s *Store) migrate(c *conn) error {
	version, err := s.version(c)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		if err := step(c, version); err != nil {
			return s.diskError(fmt.Sprintf("bring the schema to version %d", version+1), err)
		}
	}
	return nil
}

func step(c *conn, version int) error {
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := c.Exec(migrations[version])
	if err == nil {
		err = c.Exec(fmt.Sprintf("PRAGMA user_version=%d; PRAGMA application_id=%d", version+1, applicationID))
	}
	if err == nil {
		crashpoint.Hit("migrate.middle")
		return c.Exec("COMMIT")
	}
	return errors.Join(err, c.Exec("ROLLBACK"))
}

// version is that of the schema; 0 if the database is new.
func (s *Store) version(c *conn) (int, error) {
	version, _, err := c.number("PRAGMA user_version")
	if err != nil {
		return 0, s.diskError("open", err)
	}
	id, _, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, s.diskError("open", err)
	}
	tables, _, err := c.number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, s.diskError("open", err)
	}
	switch {
	case id != applicationID && (tables > 0 || version != 0):
		return 0, s.diskError("open", errForeign)
	case int(version) > len(migrations):
		return 0, &VersionError{Path: s.file(), Found: int(version), Know: len(migrations)}
	}
	return int(version), nil
}
