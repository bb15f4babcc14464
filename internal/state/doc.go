// Package state keeps in a folder what must outlive a process, and shares it
// among the processes of a user: how much of each account's limits is used
// ([Dir.Ledger]), why an account was stopped and what its server was learned to
// take ([Dir.Update]), and how each process is doing ([Dir.Publish]).
//
// # Files
//
//	limits/ACCOUNT.json      what was used of the windows, and who holds how much
//	accounts/ACCOUNT.json    the record of an account
//	processes/ID.lock        locked as long as that process lives
//	processes/ID.json        how it is doing, a moment ago
//
// ACCOUNT is made of the account's name by [fileName]. Files are replaced, never
// rewritten, so that a reader sees a whole one; who changes one holds a lock
// beside it. No secret is in any of them, nor anything made of one but
// a few bits by which a refused login is known again.
//
// # Time
//
// Windows must hold while somebody sets the clock of the machine, so they are
// measured on a clock of the folder that only goes forward: see clock.go.
package state
