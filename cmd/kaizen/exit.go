package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/accounts/oauth"
	"github.com/kaizenmail/kaizen/smtp"
)

// exitCode is what the process ends with. The numbers are those of sysexits.h,
// which sendmail made the convention for programs that handle mail, and a
// few more. docs/usage.md has the same table for readers.
type exitCode int

const (
	exitOK          exitCode = 0
	exitUsage       exitCode = 64  // the command line is wrong
	exitData        exitCode = 65  // the message cannot be sent as it is: malformed, or too large
	exitNoInput     exitCode = 66  // a file to read is missing or unreadable, or there is no such job in the queue
	exitNoUser      exitCode = 67  // the server refused a recipient for good
	exitUnavailable exitCode = 69  // the server refused the sender or the message for good; or nothing can be sent with an account (status); or a job failed, or cannot be changed (queue)
	exitSoftware    exitCode = 70  // none of the others; a bug, perhaps
	exitCantCreate  exitCode = 73  // an output file cannot be made
	exitIO          exitCode = 74  // reading or writing failed
	exitTempFail    exitCode = 75  // not sent, and the same command may succeed later
	exitProtocol    exitCode = 76  // the server does not speak SMTP as we understand it
	exitNoPerm      exitCode = 77  // the login was refused
	exitConfig      exitCode = 78  // a setting is wrong, or TLS cannot be had or trusted
	exitUnknown     exitCode = 79  // the server may have accepted the message, or not
	exitPartly      exitCode = 80  // sent to some recipients, and not to others for now
	exitInterrupted exitCode = 130 // ended by Ctrl-C or SIGTERM, with nothing in doubt
)

// codedError is an error whose exit code the command knows best.
type codedError struct {
	code exitCode
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// withCode gives err an exit code of its own.
func withCode(code exitCode, err error) error { return &codedError{code, err} }

var errNoCommand = errors.New("which command?")

// usageError is a command line that cannot be understood.
type usageError struct {
	command string // whose help page to read
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// exitCodeOf decides what err means for the caller of the process.
func exitCodeOf(ctx context.Context, err error) exitCode {
	// A message in doubt outranks everything: with any other code a caller
	// might send it again, or take it for lost.
	sending, isSending := wireError(err)
	if isSending && sending.Outcome == smtp.Unknown {
		return exitUnknown
	}
	if coded, ok := errors.AsType[*codedError](err); ok {
		return coded.code
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if code, ok := exitCodeOfAccounts(err); ok {
		return code
	}
	if code, ok := exitCodeOfQueue(err); ok {
		return code
	}
	if isSending {
		return exitCodeOfClass(sending)
	}
	return exitCodeOfFile(err)
}

// exitCodeOfAccounts is for what is wrong with the account files. It is asked
// before the wire is: nobody was reached yet.
func exitCodeOfAccounts(err error) (exitCode, bool) {
	switch {
	case errors.Is(err, accounts.ErrLocked):
		return exitTempFail, true
	case errors.Is(err, accounts.ErrExists):
		return exitCantCreate, true
	case errors.Is(err, accounts.ErrNotFound), errors.Is(err, accounts.ErrPermissions), errors.Is(err, accounts.ErrDamaged),
		errors.Is(err, accounts.ErrWrongKey), errors.Is(err, accounts.ErrNoKey), errors.Is(err, accounts.ErrNoSecret):
		return exitConfig, true
	}
	if refused, ok := errors.AsType[*oauth.Error](err); ok {
		if _, sending := wireError(err); sending {
			return exitSoftware, false
		}
		return map[bool]exitCode{true: exitNoPerm, false: exitTempFail}[refused.Permanent()], true
	}
	if _, ok := errors.AsType[*accounts.AddressError](err); ok {
		return exitUsage, true
	}
	for _, is := range []func(error) bool{is[*accounts.FileError], is[*accounts.DuplicateError], is[*accounts.HandWrittenError],
		is[*accounts.NoDefaultError], is[*oauth.ConfigError], is[*accounts.SecretError], is[*accounts.UnknownPresetError]} {
		if is(err) {
			return exitConfig, true
		}
	}
	return exitSoftware, false
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// wireError is what err tells about a server, in the words of package smtp.
func wireError(err error) (*smtp.Error, bool) {
	e, ok := errors.AsType[*kaizen.Error](err)
	if !ok {
		return errors.AsType[*smtp.Error](err)
	}
	wire := &smtp.Error{Server: e.Server, Phase: e.Phase, Class: e.Class, Outcome: e.Outcome, Reply: e.Reply, Hint: e.Hint, Err: e.Err}
	if !e.SafeToRetry() {
		wire.Outcome = smtp.Unknown
	}
	return wire, true
}

func exitCodeOfClass(e *smtp.Error) exitCode {
	if e.Class == smtp.ClassProtocol && (e.Phase == smtp.PhaseGreeting || e.Phase == smtp.PhaseHello) {
		return exitProtocol // whoever speaks there will speak the same later
	}
	if e.Class == smtp.ClassConnect && e.Reply.Permanent() {
		return exitUnavailable // we are not welcome: waiting does not change that
	}
	if e.Temporary() {
		return exitTempFail
	}
	switch e.Class {
	case smtp.ClassSender, smtp.ClassRecipient, smtp.ClassContent, smtp.ClassSize:
		if e.Reply.IsZero() {
			return exitData // refused here, before the server was asked
		}
	}
	return exitCodeOfRefusal(e)
}

func exitCodeOfRefusal(e *smtp.Error) exitCode {
	switch e.Class {
	case smtp.ClassCanceled:
		if errors.Is(e.Err, context.DeadlineExceeded) {
			return exitTempFail // --timeout, with nothing in doubt
		}
		return exitInterrupted
	case smtp.ClassAuth:
		return exitNoPerm
	case smtp.ClassTLS:
		return exitConfig
	case smtp.ClassRecipient:
		return exitNoUser
	case smtp.ClassProtocol:
		return exitProtocol
	case smtp.ClassSize:
		return exitData
	case smtp.ClassSender, smtp.ClassContent:
		return exitUnavailable
	}
	if e.Reply.Permanent() {
		return exitUnavailable
	}
	return exitSoftware
}

func exitCodeOfFile(err error) exitCode {
	if errors.Is(err, fs.ErrNotExist) {
		return exitNoInput
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return exitIO
	}
	if errors.Is(err, fs.ErrPermission) { // as of the files of accounts
		return exitNoInput
	}
	return exitSoftware
}

// report tells a person what went wrong: what failed, and where to look.
func (a *app) report(err error) {
	fmt.Fprintf(a.stderr, "%s %v\n", a.red("kaizen:"), err)
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(a.stderr, "Try '%s --help'.\n", usage.command)
	}
	if name := a.refused(err); name != "" {
		fmt.Fprintf(a.stderr, "What may help: %s (docs/troubleshooting.md, %q).\n", a.whenStopped(name), "Account stopped")
		return
	}
	if _, queued := exitCodeOfQueue(err); queued {
		return // no server has said anything
	}
	if sending, ok := wireError(err); ok {
		if text, section := advice(sending); text != "" {
			fmt.Fprintf(a.stderr, "What may help: %s (docs/troubleshooting.md, %q).\n", text, section)
		}
	}
}
