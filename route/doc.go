// Package route chooses the account of a message by rules: by its sender, by the
// domain of each recipient, and by tags. A rule shares its messages among accounts
// by weight, and names the accounts to fall back to.
//
// It is pure: a [Table] is given an envelope and answers with account names. It
// opens no connection and knows no account. What is done with a [Chain] of
// accounts is the sender's matter.
package route
