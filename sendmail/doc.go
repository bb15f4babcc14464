// Package sendmail hands messages to a sendmail(8) command: Postfix's, Exim's,
// Sendmail's, msmtp, nullmailer and others.
//
//	account := kaizen.Account{Name: "local", Mailer: sendmail.New(sendmail.Options{})}
//
// For each message the command is run as
//
//	sendmail -i -f SENDER -- RECIPIENT…
//
// without a shell, with the content on its standard input, local line ends, and
// nothing added. The null sender is "<>". No address can become an option: the
// sender is the value of -f, recipients stand behind "--".
//
// # What is claimed
//
// A command that exits with 0 after it got the whole message has accepted it. Any
// other exit code is a refusal, with the meaning of sysexits(3); see [Mailer.Mail].
// A command that is ended before it got the whole message has not sent it: it is
// killed, with the programs it started, before its standard input ends, so that it
// cannot take the half for the whole. If it is killed later (by a signal, a
// timeout, the end of the context) the outcome is unknown.
//
// The command runs in a session of its own on Unix: signals of the terminal do not
// reach it, nor can it ask there for a password. Variables of the environment that
// begin with KAIZEN_ are not passed on: they may hold secrets.
package sendmail
