package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

const queueExportLong = `Write jobs to files, with their messages. The queue is not changed.

--dir makes a file ID.eml for each message, octet for octet as it would be sent,
and jobs.jsonl with a line of JSON for each job: envelope, recipients, history.
-o FILE writes one file: a mailbox (mboxrd) if its name ends in .mbox, else a line of
JSON for each job, with the message in base64. Messages that are not kept any more
are left out; their jobs are not.`

// queueExport is the command line of queue export.
type queueExport struct {
	app      *app
	choice   queueChoice
	dir, out string
}

func newQueueExportCommand(app *app) *cobra.Command {
	e := &queueExport{app: app}
	cmd := &cobra.Command{
		Use:               "export [ID...]",
		Short:             "Write jobs and their messages to files",
		Long:              queueExportLong,
		Example:           "  kaizen queue export 17 --dir .\n  kaizen queue export --state failed --dir ./failed\n  kaizen queue export --all -o queue.mbox",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              e.run,
	}
	cmd.Flags().StringVar(&e.dir, "dir", "", "write a file for each message into this `FOLDER`")
	cmd.Flags().StringVarP(&e.out, "output", "o", "-", "write all into this `FILE` (- is standard output)")
	e.choice.bind(cmd)
	cmd.MarkFlagsMutuallyExclusive("dir", "output")
	return cmd
}

func (e *queueExport) run(cmd *cobra.Command, args []string) error {
	ids, filter, err := e.choice.choose(e.app, cmd, args)
	if err != nil {
		return err
	}
	return e.app.withQueue(func(q *mailQueue) error {
		into, err := e.sink()
		if err != nil {
			return err
		}
		n, missing, err := q.export(cmd.Context(), ids, filter, into)
		err = errors.Join(err, into.close())
		if err == nil && e.out != "-" || e.dir != "" {
			fmt.Fprintf(e.app.stderr, "%s written%s\n", plural(n, "job"), missingInWords(missing))
		}
		return err
	})
}

func missingInWords(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them without their message, which is not kept any more", n)
}

// export gives jobs to a sink, in pieces.
func (q *mailQueue) export(ctx context.Context, ids []queue.ID, filter queue.Filter, into *exportSink) (n, missing int, err error) {
	if ids != nil {
		for _, id := range ids {
			if err := q.exportOne(ctx, id, into, &missing); err != nil {
				return n, missing, err
			}
			n++
		}
		return n, missing, nil
	}
	for filter.Limit = 500; ; {
		jobs, err := q.List(ctx, q.now, filter)
		if err != nil || len(jobs) == 0 {
			return n, missing, err
		}
		for i := range jobs {
			if err := q.exportOne(ctx, jobs[i].ID, into, &missing); err != nil {
				return n, missing, err
			}
			n++
		}
		filter.After = jobs[len(jobs)-1].ID
	}
}

func (q *mailQueue) exportOne(ctx context.Context, id queue.ID, into *exportSink, missing *int) error {
	d, err := q.Get(ctx, q.now, id)
	if err != nil {
		return err
	}
	var message io.ReadCloser = io.NopCloser(strings.NewReader(""))
	if d.Body == nil {
		*missing++
	} else if message, err = d.Body.Reader(); err != nil {
		return withCode(exitIO, fmt.Errorf("read the message of job %s: %w", id, err))
	}
	defer message.Close()
	if err := into.add(&d, message); err != nil {
		return withCode(exitIO, fmt.Errorf("write job %s: %w", id, err))
	}
	return nil
}

// exportSink takes jobs.
type exportSink struct {
	add   func(d *queue.Details, message io.Reader) error
	close func() error
}

func (e *queueExport) sink() (*exportSink, error) {
	if e.dir != "" {
		return exportDir(e.dir)
	}
	out, done := e.app.stdout, func() error { return nil }
	if e.out != "-" {
		file, err := os.OpenFile(e.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, withCode(exitCantCreate, fmt.Errorf("--output: %w", err))
		}
		out, done = file, file.Close
	}
	buffered := bufio.NewWriter(out)
	add := jsonLine
	if strings.HasSuffix(e.out, ".mbox") {
		add = mailboxEntry
	}
	return &exportSink{
		add:   func(d *queue.Details, message io.Reader) error { return add(buffered, d, message) },
		close: func() error { return errors.Join(written(buffered.Flush()), done()) },
	}, nil
}

// exportDir writes files that are not there yet.
func exportDir(dir string) (*exportSink, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, withCode(exitCantCreate, err)
	}
	create := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	index, err := create("jobs.jsonl")
	if err != nil {
		return nil, withCode(exitCantCreate, fmt.Errorf("--dir: %w", err))
	}
	lines := json.NewEncoder(index)
	lines.SetEscapeHTML(false)
	return &exportSink{close: index.Close, add: func(d *queue.Details, message io.Reader) error {
		if err := lines.Encode(d); err != nil || d.Body == nil {
			return err
		}
		file, err := create(d.ID.String() + ".eml")
		if err != nil {
			return err
		}
		_, err = io.Copy(file, message)
		return errors.Join(err, file.Close())
	}}, nil
}

// jsonLine is a job with its message, which is never in memory as a whole.
func jsonLine(w *bufio.Writer, d *queue.Details, message io.Reader) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, _ = w.Write(text[:len(text)-1]) // the buffer keeps its error for Flush
	if d.Body != nil {
		_, _ = w.WriteString(`,"message":"`)
		encoder := base64.NewEncoder(base64.StdEncoding, w)
		if _, err := io.Copy(encoder, message); err != nil {
			return err
		}
		_ = encoder.Close()
		_, _ = w.WriteString(`"`)
	}
	_, err = w.WriteString("}\n")
	return err
}

// mailboxEntry is a message in the format mboxrd: lines of its own that look like
// the beginning of one get a further ">".
func mailboxEntry(w *bufio.Writer, d *queue.Details, message io.Reader) error {
	if d.Body == nil {
		return nil
	}
	sender := d.Envelope.From
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	fmt.Fprintf(w, "From %s %s\n", sender, d.Created.UTC().Format("Mon Jan _2 15:04:05 2006"))
	lines := bufio.NewReader(message)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
			line = ">" + line
		}
		if line != "" {
			_, _ = w.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
		if err == io.EOF {
			_, err = w.WriteString("\n")
			return err
		}
		if err != nil {
			return err
		}
	}
}
