// Package safefile replaces files as a whole, and lets one process at a time, of
// those that ask, use a file.
//
// A reader of a file that is only ever replaced by [Replace] sees it as it was or
// as it is, never a part. A lock ends when its file is closed or its process ends,
// in whatever way; it keeps nobody out who does not ask. Two opens of a file in
// one process are as two processes.
package safefile
