// Package sqlite keeps a queue on disk, in a folder with an SQLite database. What
// it promises, and what each transition does, is what [queue.Store] says.
//
// # Files
//
// The folder has queue.db with its -wal and -shm, bodies over 64 KB in bodies/,
// each named by its SHA-256, and two lock files. All of it belongs together. It
// must be on a local disk: on NFS and SMB the processes would not see each other.
//
// # Durability
//
// All that is done while the database commits one transaction is done in the next
// one (group commit), so that many callers share one fsync. What a method has
// returned without error survives the loss of power. Put of jobs with the
// durability [queue.Memory] and without keys does not wait for that.
//
// After a commit that failed nothing of it is acknowledged, the database is
// closed, and opened again for the next call; see [DiskError].
//
// # Processes
//
// Any number of processes can have the folder open; one at a time delivers. What
// another one does is seen by the next call of [Store.Changes].
package sqlite
