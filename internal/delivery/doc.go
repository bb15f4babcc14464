// Package delivery sends what is in a queue: [Run] claims jobs, hands them to the
// outlet of their lane, and settles what became of them.
//
// # The loop
//
// One goroutine decides ([runner.round]). A lane is looked at when it is hot: its
// jobs are due, something was put into it, or room has become free. The outlet
// says how many messages it can make use of, and so many are claimed, of up to
// [lanesAtOnce] lanes in one transaction. Lanes that need nothing cost nothing: they
// wait in a heap for the time of their next job. What holds a lane back (a pause,
// a limit, a server that is down) is kept here and in the outlet; its jobs are not
// touched, and nothing counts as an attempt.
//
// # A job
//
// Each claimed job has a goroutine ([carrier]) from its claim to its outcome:
//
//	claimed ── Outlet.Send: in line ── pulled by a connection ── content written ── verdict
//	                                     │                         ▲
//	                                     └── Begin is issued …… awaited before the last octets
//
// Begins are collected and committed together ([begins]), as are settlements
// ([settles]). A settlement that cannot be written is kept and tried again, and
// until then nothing more is claimed.
//
// Lanes that go fast claim further ahead, up to [deepest] messages for each
// connection, and those jobs whose policy is Retry begin with their claim: this
// hides the time of a commit, and costs that after a crash a few jobs more are
// unknown.
//
// # The end
//
// When the context of Run ends nothing more is claimed. Jobs that no connection has
// taken go back; those on the way are waited for, up to Config.Drain.
package delivery
