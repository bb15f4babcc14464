// Package kaizen sends mail: as fast as the wire allows, never lost, and never
// knowingly sent twice.
//
// It sends through accounts. An account is a server that relays for you and
// the login it wants: a mail provider's, or a Postfix of your own. Messages go
// out over connections that are kept and reused, as many at once and as often
// as the account permits.
//
// Kaizen is not a mailbox, it does not read mail, and it does not look up the
// servers of the recipients.
package kaizen
