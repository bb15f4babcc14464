// Package queue says what a queue of mail is: jobs, their states, and the
// [Store] that keeps them. Packages queue/memory and queue/sqlite are stores;
// queue/queuetest defines what a store must do.
//
// # Words
//
// A [Job] is one message for one account, with one or more recipients. The jobs
// of one account are its lane; a lane is known by the account's name, so no
// secret is ever in a store. The octets of a message are a stored body, which
// jobs can share.
//
// # How a job walks
//
//	          ┌──────────── again, later ───────────┐
//	          ▼                                     │
//	Put → Queued ── Claim ──▶ Active ── Begin ──▶ Active (begun) ── Settle ──▶ Sent, Failed
//	        │ ▲                 │ not begun: Cancel, Hold, … still take it back
//	        ▼ │                 ▼
//	       Held              Cancelled, Expired
//
// [Store.Claim] hands jobs out, each with a fresh [Token]. [Store.Begin] notes
// that the job may be delivered from here on; it is committed before the octets
// that can deliver the message are written, and it is the last moment at which a
// job can be cancelled or expire. [Store.Settle] notes what became of it. Begin and
// Settle change something only while their token stands.
//
// After a crash a job that was claimed and not begun is queued again: it was
// certainly not sent. One that had begun and has no outcome is unknown: its
// [Policy] says whether it is sent again.
//
// # Time
//
// No store reads a clock; every transition is told the time. Times are kept in
// milliseconds.
package queue
