// Package smtptest provides an SMTP server for tests: fast, scripted, and able
// to misbehave at any point of a session while its accounts stay exact.
//
// [NewServer] starts one, on the loopback interface or in memory; the latter
// works in a testing/synctest bubble. [Server.DialContext] connects to it. What
// it offers, refuses and does wrong is in its [Config]: see [Fault], [Quirks]
// and [Limits]. A [Script] plays a fixed dialogue instead. [Server.Stats],
// [Server.Accepted] and [Server.MailTimes] tell what the server has seen: a
// message counts as accepted exactly if the server took it, also when its reply
// was lost.
//
// The package shares no code with package smtp, so that a mistake in the one
// shows against the other.
package smtptest
