// Package smtp speaks SMTP (RFC 5321) on one connection, as a client.
//
// [Dial] connects, secures the connection (implicit TLS or STARTTLS), greets
// the server and reads what it offers. [Conn.Send] hands it one message and
// waits for the outcome. [Conn.Stream] is what a pool uses: it pulls
// transactions from a function and puts the envelope of the next message
// behind the body of the current one, so that a message costs one round trip
// (RFC 2920 §3.1 allows the content of a message to be the first element of a
// command group).
//
// # Levels
//
// How far commands are grouped is the connection's [Level]: lock-step where
// the server does not offer PIPELINING, one group per envelope at first,
// look-ahead once the server has taken three groups cleanly. What a server
// tolerates is remembered in a [Memory], which connections to it share.
//
// # Honest outcomes
//
// Every recipient of a transaction ends as accepted, rejected, not sent or
// unknown ([Outcome]). Not sent is claimed only if the server cannot have
// accepted the message; unknown means the connection was lost after the octets
// that can deliver it were handed to the operating system, before the server's
// verdict was read.
//
// # LMTP
//
// With [Config].LMTP the connection speaks RFC 2033: LHLO, and behind a content a
// reply for each recipient whose RCPT was accepted. Each recipient has an outcome
// of its own then; those whose reply was not read when the connection was lost
// are unknown, the others keep theirs. Replies are told apart by their number
// alone: so no envelope rides behind a content for several recipients.
//
// # Concurrency
//
// A Conn is driven by one goroutine at a time. [Conn.Close], [Transaction.Withdraw]
// and the methods that only read facts (Capabilities, Level, Server) may be
// called from others. A Conn at rest holds no goroutine and no buffer.
//
// # RFCs
//
// 5321 (SMTP), 2033 (LMTP), 1870 (SIZE), 2034 and 3463 (enhanced codes), 2920 (PIPELINING),
// 3030 (CHUNKING, BINARYMIME), 3207 and 8314 (TLS), 3461 (DSN), 4954 (AUTH),
// 4616 (PLAIN), 2195 (CRAM-MD5), 5802 and 7677 (SCRAM), 7628 (OAUTHBEARER),
// 6152 (8BITMIME), 6531 (SMTPUTF8), 8689 (REQUIRETLS), 9422 (LIMITS).
//
// This package does not pool, retry, queue or compose messages.
package smtp
