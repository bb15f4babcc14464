package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/message/mailtemplate"
	"github.com/spf13/cobra"
)

// bulkLetter says what to send. Each value is a template over a row.
type bulkLetter struct {
	folder              string
	from, to, cc, bcc   string
	replyTo             string
	subject, text, html string
	attach, inline      []string
	header              []string
	fields              messageFlags // unsubscribe, oneClick, importance and dkim
	keepCSS             bool
	allowMissing        bool
}

func (f *bulkLetter) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.folder, "template", "", "`FOLDER` with subject.txt, body.txt, body.html, layout.txt, layout.html")
	flags.StringVar(&f.from, "from", "", "sender's `ADDRESS` (default: the first account's address, or the URL's user name if that is one)")
	flags.StringVar(&f.to, "to", "{{.email}}", "`ADDRESSES` of a row's recipients, separated by commas")
	flags.StringVar(&f.cc, "cc", "", "`ADDRESSES` to send a copy")
	flags.StringVar(&f.bcc, "bcc", "", "`ADDRESSES` that the others do not see")
	flags.StringVar(&f.replyTo, "reply-to", "", "`ADDRESSES` where answers shall go")
	flags.StringVar(&f.subject, "subject", "", "subject")
	flags.StringVar(&f.text, "text", "", "plain `TEXT`, or @FILE (default: made from the HTML)")
	flags.StringVar(&f.html, "html", "", "`HTML` text, or @FILE; its <style> is inlined")
	flags.StringArrayVar(&f.attach, "attach", nil, "attach a `FILE`; may be repeated")
	flags.StringArrayVar(&f.inline, "inline", nil, "a picture's `FILE`, which the HTML shows as cid:NAME; may be repeated")
	flags.StringArrayVar(&f.header, "header", nil, "a further `'NAME: VALUE'`; may be repeated")
	flags.StringArrayVar(&f.fields.unsubscribe, "unsubscribe", nil, "https `URL` or mailto: address for leaving the mailing; one of each may be given")
	flags.BoolVar(&f.fields.oneClick, "one-click", false, "a POST to the --unsubscribe URL is enough (RFC 8058)")
	flags.StringVar(&f.fields.importance, "importance", "", "`HOW MUCH` the message matters: high, normal or low")
	flags.StringArrayVar(&f.fields.dkim, "dkim", nil, "sign: `DOMAIN:SELECTOR:KEYFILE`; may be repeated")
	flags.BoolVar(&f.keepCSS, "keep-css", false, "leave <style> as it is")
	flags.BoolVar(&f.allowMissing, "allow-missing", false, "write nothing where a row lacks a value, instead of refusing the row")
}

func (f *bulkLetter) check() error {
	if f.folder != "" && (f.subject != "" || f.text != "" || f.html != "") {
		return errors.New("--template has subject and text: it does not go with --subject, --text and --html")
	}
	if f.folder == "" && f.text == "" && f.html == "" {
		return errors.New("what shall they read? Give --template, --text or --html")
	}
	for _, h := range f.header {
		if name, _, ok := strings.Cut(h, ":"); !ok || name == "" {
			return fmt.Errorf("--header %q is not of the form 'Name: value'", h)
		}
	}
	return errors.Join(f.fields.checkFields(), f.fields.checkDKIM())
}

func (f *bulkLetter) source(ctx context.Context, app *app) (s bulk.LetterSource, err error) {
	s = bulk.LetterSource{From: f.from, To: f.to, Cc: f.cc, Bcc: f.bcc, ReplyTo: f.replyTo,
		Attach: f.attach, Inline: f.inline}
	s.Importance, _ = f.fields.howImportant() // these two were checked
	s.Unsubscribe, _ = f.fields.unsubscribing()
	if s.DKIM, err = f.fields.signatures(); err != nil {
		return s, err
	}
	for _, h := range f.header {
		name, value, _ := strings.Cut(h, ":")
		s.Header = append(s.Header, message.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if f.folder != "" {
		if s.Body, err = mailtemplate.Read(os.DirFS(f.folder)); err != nil {
			return s, withCode(exitNoInput, fmt.Errorf("--template %s: %w", f.folder, err))
		}
	} else {
		s.Body.Subject = f.subject
		if s.Body.Text, err = app.textOrFile(ctx, "text", f.text); err != nil {
			return s, err
		}
		if s.Body.HTML, err = app.textOrFile(ctx, "html", f.html); err != nil {
			return s, err
		}
	}
	s.Body.KeepCSS, s.Body.AllowMissing = f.keepCSS, f.allowMissing
	return s, nil
}
