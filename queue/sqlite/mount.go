package sqlite

import "errors"

// errNetwork says that processes could not see each other's changes.
var errNetwork = errors.New("it is on a network file system (NFS, SMB, …), where the write-ahead log of SQLite does not work: put it on a local disk")
