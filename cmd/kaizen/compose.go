package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"os"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/spf13/cobra"
)

// messageFlags say what to send.
type messageFlags struct {
	from             string
	to, cc, bcc      []string
	replyTo          []string
	subject          string
	text, html       string
	attach, inline   []string
	header           []string
	calendar         string
	inReplyTo        string
	importance       string
	unsubscribe      []string
	oneClick         bool
	dkim             []string
	raw              string
	dsn              []string
	textGiven, typed bool // --text was given; the text is to be read from standard input
}

func (f *messageFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "sender's `ADDRESS` (default: the account's address, or the URL's user name if that is one)")
	flags.StringArrayVar(&f.to, "to", nil, "`ADDRESSES` of recipients, separated by commas; may be repeated")
	flags.StringArrayVar(&f.cc, "cc", nil, "`ADDRESSES` to send a copy")
	flags.StringArrayVar(&f.bcc, "bcc", nil, "`ADDRESSES` that the others do not see")
	flags.StringArrayVar(&f.replyTo, "reply-to", nil, "`ADDRESSES` where answers shall go")
	flags.StringVar(&f.subject, "subject", "", "subject")
	flags.StringVar(&f.text, "text", "", "plain `TEXT`, or @FILE (default: standard input)")
	flags.StringVar(&f.html, "html", "", "`HTML` text, or @FILE; beside --text it is the better version")
	flags.StringArrayVar(&f.attach, "attach", nil, "attach a `FILE`; may be repeated")
	flags.StringArrayVar(&f.inline, "inline", nil, "attach an image `FILE` that --html shows as cid:FILE (its name without folders); may be repeated")
	flags.StringVar(&f.calendar, "calendar", "", "iCalendar `FILE` to send as an invitation, cancellation or answer, as its METHOD says")
	flags.StringVar(&f.inReplyTo, "in-reply-to", "", "`MESSAGE-ID` of the message that this one answers")
	flags.StringVar(&f.importance, "importance", "", "`HOW MUCH` the message matters: high, normal or low")
	flags.StringArrayVar(&f.unsubscribe, "unsubscribe", nil, "https `URL` or mailto: address for leaving the mailing; one of each may be given")
	flags.BoolVar(&f.oneClick, "one-click", false, "a POST to the --unsubscribe URL is enough (RFC 8058)")
	flags.StringArrayVar(&f.header, "header", nil, "a further `'NAME: VALUE'`; may be repeated")
	flags.StringArrayVar(&f.dkim, "dkim", nil, "sign: `DOMAIN:SELECTOR:KEYFILE`; may be repeated")
	flags.StringVar(&f.raw, "raw", "", "send the message in `FILE` (- is standard input) as it is; --from and --to replace its envelope")
	flags.StringSliceVar(&f.dsn, "dsn", nil, "`WHEN` to notify the sender: never, or some of success,failure,delay")
}

// onlyComposed are flags that would change a message which --raw sends as it is.
var onlyComposed = []string{"cc", "bcc", "reply-to", "subject", "text", "html", "attach", "inline", "calendar",
	"in-reply-to", "importance", "unsubscribe", "one-click", "header"}

// check finds what is wrong before anything is read or asked.
func (f *messageFlags) check(cmd *cobra.Command) error {
	f.textGiven = cmd.Flags().Changed("text")
	f.typed = !f.textGiven && f.html == "" && f.raw == ""
	if f.raw != "" {
		for _, name := range onlyComposed {
			if cmd.Flags().Changed(name) {
				return misuse(cmd, fmt.Errorf("--raw sends a message as it is: it does not go with --%s", name))
			}
		}
	} else if len(f.to)+len(f.cc)+len(f.bcc) == 0 {
		return misuse(cmd, errors.New("who shall receive it? Give --to, --cc or --bcc"))
	}
	for _, h := range f.header {
		if name, _, ok := strings.Cut(h, ":"); !ok || name == "" {
			return misuse(cmd, fmt.Errorf("--header %q is not of the form 'Name: value'", h))
		}
	}
	for _, check := range []func() error{f.checkNotify, f.checkFields, f.checkDKIM} {
		if err := check(); err != nil {
			return misuse(cmd, err)
		}
	}
	return nil
}

func (f *messageFlags) checkNotify() error {
	_, err := f.notify()
	return err
}

func (f *messageFlags) notify() (set smtp.Notify, err error) {
	known := map[string]smtp.Notify{"never": smtp.NotifyNever, "success": smtp.NotifySuccess,
		"failure": smtp.NotifyFailure, "delay": smtp.NotifyDelay}
	for _, name := range f.dsn {
		if known[name] == 0 {
			return 0, fmt.Errorf("--dsn %q is none of never, success, failure, delay", name)
		}
		set |= known[name]
	}
	if set&smtp.NotifyNever != 0 && set != smtp.NotifyNever {
		return 0, errors.New("--dsn never stands alone")
	}
	return set, nil
}

// prepare makes the message ready to be sent.
func (f *messageFlags) prepare(ctx context.Context, app *app) (*kaizen.Prepared, error) {
	if f.raw != "" {
		return f.prepareRaw(ctx, app)
	}
	m, err := f.compose(ctx, app)
	if err != nil {
		return nil, err
	}
	p, err := kaizen.Prepare(m)
	if err != nil {
		return nil, unfit(err)
	}
	return p, nil
}

func (f *messageFlags) compose(ctx context.Context, app *app) (*message.Message, error) {
	m := &message.Message{From: f.from, Subject: f.subject}
	m.Delivery.Notify, _ = f.notify() // checked before
	for _, list := range []struct {
		flag  string
		given []string
		into  *[]string
	}{{"to", f.to, &m.To}, {"cc", f.cc, &m.Cc}, {"bcc", f.bcc, &m.Bcc}, {"reply-to", f.replyTo, &m.ReplyTo}} {
		var err error
		if *list.into, err = splitAddresses(list.flag, list.given); err != nil {
			return nil, err
		}
	}
	for _, h := range f.header {
		name, value, _ := strings.Cut(h, ":")
		m.Header = append(m.Header, message.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	for _, file := range f.inline {
		a := message.AttachFile(file)
		a.ContentID = a.Name
		m.Attachments = append(m.Attachments, a)
	}
	for _, file := range f.attach {
		m.Attachments = append(m.Attachments, message.AttachFile(file))
	}
	f.fillFields(m)
	var err error
	if m.Calendar.Text, err = readCalendar(f.calendar); err != nil {
		return nil, err
	}
	if m.DKIM, err = f.signatures(); err != nil {
		return nil, err
	}
	return m, f.readBody(ctx, app, m)
}

func (f *messageFlags) readBody(ctx context.Context, app *app, m *message.Message) (err error) {
	if f.typed {
		if isTerminal(app.stdin) {
			fmt.Fprintln(app.stderr, "Type the text; end it with Ctrl-D on a line of its own (Ctrl-Z and Enter on Windows).")
		}
		m.Text, err = app.readInput(ctx)
		return err
	}
	if m.Text, err = app.textOrFile(ctx, "text", f.text); err != nil {
		return err
	}
	m.HTML, err = app.textOrFile(ctx, "html", f.html)
	return err
}

// textOrFile reads "@FILE", and takes everything else as it is.
func (a *app) textOrFile(ctx context.Context, flag, value string) (string, error) {
	name, isFile := strings.CutPrefix(value, "@")
	if !isFile {
		return value, nil
	}
	if name == "-" {
		return a.readInput(ctx)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return "", withCode(exitNoInput, fmt.Errorf("--%s: %w", flag, err))
	}
	return string(content), nil
}

func (a *app) readInput(ctx context.Context) (string, error) {
	b, err := await(ctx, func() ([]byte, error) { return io.ReadAll(a.stdin) })
	if err != nil && ctx.Err() == nil {
		err = withCode(exitIO, fmt.Errorf("read standard input: %w", err))
	}
	return string(b), err
}

// splitAddresses makes a list with one address in each string.
func splitAddresses(flag string, given []string) (list []string, err error) {
	for _, s := range given {
		parsed, err := mail.ParseAddressList(s)
		if err != nil {
			reason := strings.TrimPrefix(err.Error(), "mail: ")
			return nil, withCode(exitData, fmt.Errorf("--%s %q is not a list of addresses: %s", flag, s, reason))
		}
		for _, a := range parsed {
			list = append(list, a.String())
		}
	}
	return list, nil
}

// unfit gives the error of a message that cannot be sent its exit code. Which
// account it was meant for does not matter.
func unfit(err error) error {
	if e, ok := errors.AsType[*kaizen.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return withCode(exitNoInput, err)
	}
	return withCode(exitData, err)
}
