package sendmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Mail runs the command with the message. Exit codes are understood as those of
// sysexits(3):
//
//	0                    accepted
//	65 data              rejected, ErrContent, permanent
//	67 no such user      rejected, ErrRecipient, permanent
//	77 permission        rejected, ErrAuth: the account stops until it is resumed, as
//	                     with a refused password
//	75 and all others    rejected for now
//
// With several recipients none is told apart: what the exit code says holds for
// all of them. What the command printed is the text of the reply.
func (m *Mailer) Mail(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
	path, err := m.find()
	if err != nil {
		return smtp.Reply{}, err
	}
	args, err := m.arguments(s)
	if err != nil {
		return smtp.Reply{}, err
	}
	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	r := &run{cmd: exec.CommandContext(ctx, path, args...), kill: kill, timeout: m.options.Timeout, output: &output{most: maxOutput}}
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = m.environment(), r.output, r.output
	// What the command started may hold its output open after it has ended.
	r.cmd.WaitDelay = time.Second
	isolate(r.cmd)
	return r.do(ctx, s.Content)
}

// run is one run of the command.
type run struct {
	cmd     *exec.Cmd
	kill    context.CancelCauseFunc
	timeout time.Duration
	output  *output
	stdin   io.WriteCloser
	ended   chan error // from the goroutine that waits for the end
}

var errSlow = errors.New("the command did not go on in time")

func (r *run) do(ctx context.Context, content io.Reader) (smtp.Reply, error) {
	var err error
	if r.stdin, err = r.cmd.StdinPipe(); err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		return smtp.Reply{}, &smtp.Error{Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: fmt.Errorf("run %s: %w", r.cmd.Path, err)}
	}
	watch := r.watch()
	defer watch.Stop()
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.cmd.Wait() }()
	read, wrote := r.feed(content, watch)
	if read != nil {
		// Its input stays open until it is dead: the half must not look whole.
		r.kill(read)
		if ended := <-r.ended; r.cmd.ProcessState != nil && r.cmd.ProcessState.Success() {
			return r.conclude(ctx, ended, false) // it was content with the half
		}
		return smtp.Reply{}, read
	}
	if wrote == nil {
		_ = r.stdin.Close() // it may have ended by itself; its exit code tells
	}
	return r.conclude(ctx, <-r.ended, wrote == nil)
}

// watch kills the command when nothing has happened for the timeout.
func (r *run) watch() *time.Timer {
	if r.timeout < 0 {
		r.timeout = 1<<63 - 1
	}
	return time.AfterFunc(r.timeout, func() { r.kill(errSlow) })
}

// feed writes the message to the command. It tells apart who failed: read is the
// content's error, wrote the command's.
func (r *run) feed(content io.Reader, watch *time.Timer) (read, wrote error) {
	buffer := make([]byte, 32<<10)
	for {
		watch.Stop() // the content may take its time
		n, err := content.Read(buffer)
		watch.Reset(r.timeout)
		if n > 0 {
			if _, wrote = r.stdin.Write(local(buffer[:n])); wrote != nil {
				return nil, wrote
			}
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}

// local turns CRLF into this system's line ends, in place. A content has no CR but
// in CRLF.
func local(b []byte) []byte {
	if !localLineEnds {
		return b
	}
	kept := b[:0]
	for _, c := range b {
		if c != '\r' {
			kept = append(kept, c)
		}
	}
	return kept
}

// conclude says what the end of the command means. whole: it got the whole message.
func (r *run) conclude(ctx context.Context, ended error, whole bool) (smtp.Reply, error) {
	state := r.cmd.ProcessState
	switch {
	case state != nil && state.Success() && whole: // also if what it started goes on
		return smtp.Reply{Code: 250, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: r.output.said("accepted")}, nil
	case state != nil && state.Success():
		return smtp.Reply{}, &smtp.Error{Phase: smtp.PhaseBody, Class: smtp.ClassProtocol, Outcome: smtp.Unknown,
			Err: fmt.Errorf("%s: exit code 0, but it did not read the whole message", r.cmd.Path), Hint: r.output.hint()}
	case state != nil && endedItself(ctx, state):
		return smtp.Reply{}, refusal(state.ExitCode(), r.output)
	}
	return smtp.Reply{}, r.broken(ctx, ended, whole)
}

// broken is the error for a command that had no time to say what it did.
func (r *run) broken(ctx context.Context, ended error, whole bool) error {
	e := &smtp.Error{Phase: smtp.PhaseBody, Class: smtp.ClassConnect, Err: fmt.Errorf("%s: %w", r.cmd.Path, ended), Hint: r.output.hint()}
	if whole {
		e.Phase, e.Outcome = smtp.PhaseFinal, smtp.Unknown
	}
	if cause := context.Cause(ctx); cause == errSlow {
		e.Class, e.Err = smtp.ClassTimeout, fmt.Errorf("%s: %w (%v)", r.cmd.Path, errSlow, r.timeout)
	} else if cause != nil {
		e.Class, e.Err = smtp.ClassCanceled, cause
	}
	return e
}
