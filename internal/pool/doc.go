// Package pool shares a few SMTP connections among many senders: one waiting
// line per target, up to Config.Connections connections, one limiter.
//
// A message walks one way: waiting line, connection, outcome. [Pool.Send] puts
// it into the line and blocks; a connection pulls it ([connection.next]) and its
// transaction tells the outcome. No caller ever holds a connection.
//
// # Targets
//
// A [Target] is a key and a way to dial. All targets of a pool are one account
// identity: they share its connections and its limiter, but a message never
// goes out on a connection of another key. So a changed password (a new key)
// meets neither old connections nor fresh limits. Idle connections of other
// targets are closed when a target needs room; where none is idle, a busy one
// retires as soon as it would leave its own target with another connection, or
// has had its turn.
//
// # States of a connection
//
//	dialling → (gated →) busy ⇄ idle → quitting → gone
//	                      busy → lost → gone
//
// It occupies a slot (Pool.open) from before its dial until after its close.
//
//   - dialling: one goroutine, bound to no message.
//   - gated: greeted, but another connection is trying the credentials first.
//   - busy: one goroutine, [connection.run], inside Stream or Authenticate.
//     Busy and nothing in flight is "hungry": it is about to ask for a message,
//     so it counts as supply and nothing is dialled in its stead.
//   - idle: no goroutine. Last in, first out: hot ones stay, cold ones age out.
//   - quitting: says QUIT for at most five seconds.
//
// [Pool.step] alone decides what a connection does next.
//
// # How nobody is forgotten
//
// dispatchLocked adds at most one connection to a target: it wakes an idle one
// or dials, if more messages wait than hungry, dialling and gated connections
// will fetch. It runs after everything that raises demand (a message enqueued
// or given back), lowers supply (a connection retired or lost) or raises what is
// allowed (a slot freed, the rate free again, a backoff over, the cap raised),
// and after every message pulled, so that one wake-up leads to the next.
//
// # Rates
//
// While the limiter refuses, Pool.blocked stops waking and dialling; the alarm,
// or the limiter's notice, lifts it. There is one timer per pool (alarm.go).
//
// # Failures
//
//   - A dial failed, others are open: messages stay in line, the next dial
//     comes after a growing pause. None open and none on the way: all who wait
//     fail, and for a moment new ones with them.
//   - Credentials refused: all who wait fail, and all later ones until
//     [Pool.Resume]. Until they worked once, one connection tries them.
//   - A connection died under a message that can be repeated: the message goes
//     back to its place in the line. On a connection that had been in use before,
//     that is no try of the message, but it always costs the connection.
//
// # Locking
//
// Pool.mu guards everything not said to be the driver's own. Under it nothing
// blocks and nothing foreign is called but the limiter. What belongs to the
// goroutine that drives a connection is written by it alone and handed on
// through the mutex when the connection rests.
package pool
