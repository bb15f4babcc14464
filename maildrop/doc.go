// Package maildrop puts messages into a folder in place of sending them: as a
// Maildir, which mail readers open, or as .eml files. It is for tests, previews
// and local delivery.
//
//	account := kaizen.Account{Name: "preview", Mailer: maildrop.New("/tmp/preview", maildrop.Options{})}
//
// No file is ever seen half written: a message is written under another name,
// flushed to the disk, and then renamed. The folder is made if need be, mode 0700;
// files have mode 0600. Any number of processes may write to one folder.
package maildrop
