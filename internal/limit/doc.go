// Package limit counts messages and recipients in exact sliding windows, such
// that the server, by its own clock, never sees more than a window allows.
//
// A server counts a message when it reads its MAIL command, at an instant that
// lies somewhere between the moment we wrote it and the moment we read the
// reply. So a slot is taken ([Limiter.Take]) before MAIL is written and starts
// to expire only when its reply was read or the connection was lost
// ([Slot.Done]). Until then it occupies its place, however long that takes; if
// MAIL was never written it is given back at once ([Slot.Cancel]).
//
// The price of that certainty is throughput of N messages per window plus one
// reply delay, not of N per window.
//
// Memory: one log, shared by all windows, of what the longest window still
// holds: at most as many entries as that window allows, fewer when several end
// at the same instant. Work is constant per slot, amortised.
//
// This package does not wait, has no timers and reads no clock: the caller
// passes the time and asks [Limiter.Next] when to come back.
package limit
