package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

const bulkLong = `Send one letter to everybody in a table (mail merge).

--rows is a CSV file whose first line names the columns, or a file of JSON
objects, one on each line. What may differ from row to row is a template:
{{.name}} is the value of the column "name" ({{index . "First name"}} if the name
has a space). The letter is given by flags, or is a folder (--template) with
subject.txt, body.txt, body.html and, if wanted, layout.txt and layout.html.

What was sent is kept in a journal beside the table. After Ctrl-C, a crash or a
power cut, --resume goes on and sends nothing twice: rows whose outcome is not
known are listed, not guessed. The results are a CSV file with a line for each
recipient.

--queue puts the messages into the queue instead, which is much faster: 'kaizen queue
run' sends them, beside whatever else is queued. --resume then queues no row twice.
With --queue the rules of kaizen.toml ([[routes]]) choose the accounts, unless some
are named; without it, they do not.

Several --account or --server share the rows: each takes as many as it can, or its
--weight. Each keeps its own limits.

` + serverHelp

const bulkExample = `  kaizen bulk --rows people.csv --template ./spring --from news@example.com --dry-run
  kaizen bulk --rows people.csv --template ./spring --from news@example.com --preview ./pages
  kaizen bulk --rows people.csv --template ./spring --from news@example.com
  kaizen bulk --rows people.csv --template ./spring --from news@example.com --resume
  kaizen bulk --rows people.csv --to '{{address .name .email}}' --subject 'Invoice {{.number}}' \
      --text @letter.txt --attach 'invoices/{{.number}}.pdf'
  kaizen bulk --queue --tag spring --rows people.csv --template ./spring --from news@example.com
  export-people | kaizen bulk --rows - --format jsonl --journal spring.journal --subject Hello --text 'Hi {{.name}}'`

func newBulkCommand(app *app) *cobra.Command {
	b := &bulkCommand{app: app}
	cmd := &cobra.Command{
		Use:     "bulk --rows FILE",
		Short:   "Send a letter to everybody in a table",
		Long:    bulkLong,
		Example: bulkExample,
		Args:    cobra.NoArgs,
		RunE:    b.run,
	}
	cmd.Flags().SortFlags = false
	b.input.bind(cmd)
	b.letter.bind(cmd)
	b.servers.bind(cmd)
	b.bind(cmd)
	b.queue.bind(cmd, queue.Bulk)
	return cmd
}

// bulkCommand is the command line as it was written.
type bulkCommand struct {
	app     *app
	input   bulkInput
	letter  bulkLetter
	servers bulkServers
	queue   queueOptions

	journal, results string
	resume           bool
	again            bulk.Again
	unique           bool
	tries            int
	config           bulk.Config // with the durations
	dryRun           bool
	preview          string
	first            int
	json             bool
	metrics          metricsFlag
}

func (b *bulkCommand) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&b.dryRun, "dry-run", false, "show the first rows' messages, check all rows, and send nothing")
	flags.StringVar(&b.preview, "preview", "", "write the first rows' messages as pages into this `FOLDER`, and send nothing")
	flags.IntVar(&b.first, "first", 3, "how many `ROWS` --dry-run and --preview show")
	flags.StringVar(&b.journal, "journal", "", "`FILE` that remembers what was sent (default: that of --rows with .journal)")
	flags.BoolVar(&b.resume, "resume", false, "go on where the journal ends")
	flags.BoolVar(&b.again.Unknown, "resend-unknown", false, "with --resume: send again to those who may have got it")
	flags.BoolVar(&b.again.Rejected, "resend-rejected", false, "with --resume: send again to those who were refused for good")
	flags.StringVar(&b.results, "results", "", "write what became of each recipient to this CSV `FILE` (default: that of --rows with .results.csv)")
	flags.BoolVar(&b.unique, "unique", false, "leave out rows with the recipients of an earlier row")
	flags.IntVar(&b.tries, "tries", 5, "how often to try recipients that are refused for now")
	flags.DurationVar(&b.config.Backoff, "retry-after", 0, "wait before the second try, doubled for each further one (default 30s)")
	flags.DurationVar(&b.config.GiveUp, "give-up-after", 0, "how long a server may be unreachable or busy (default 10m)")
	flags.IntVar(&b.config.MaxFailures, "max-failures", 50, "stop when so many rows in a row were not accepted; -1: never")
	flags.BoolVar(&b.json, "json", false, "print the summary as JSON")
	b.metrics.bind(flags)
}

func (b *bulkCommand) run(cmd *cobra.Command, _ []string) error {
	if err := b.check(); err != nil {
		return misuse(cmd, err)
	}
	if err := b.queue.check(cmd, onlySentInBulk...); err != nil {
		return err
	}
	ctx := cmd.Context()
	rehearse := b.dryRun || b.preview != ""
	var targets []*target
	if !rehearse || b.letter.from == "" {
		var err error
		if b.queue.on {
			targets, err = b.servers.queueTargets(b.app, cmd)
		} else {
			targets, err = b.servers.targets(ctx, b.app, cmd, rehearse)
		}
		if err != nil {
			return err
		}
	}
	letter, err := b.compile(ctx, cmd, targets)
	if err != nil {
		return err
	}
	if rehearse {
		return b.rehearse(ctx, letter)
	}
	if b.queue.on {
		return b.enqueue(ctx, letter, targets)
	}
	return b.send(ctx, letter, targets)
}

func (b *bulkCommand) check() error {
	if err := b.input.check(); err != nil {
		return err
	}
	switch {
	case (b.again.Unknown || b.again.Rejected) && !b.resume:
		return errors.New("--resend-unknown and --resend-rejected go with --resume")
	case b.tries < 1:
		return fmt.Errorf("--tries: %d is not a positive number", b.tries)
	case b.first < 1:
		return fmt.Errorf("--first: %d is not a positive number", b.first)
	case b.config.Backoff < 0 || b.config.GiveUp < 0:
		return errors.New("--retry-after and --give-up-after cannot be negative")
	case b.journal == "" && b.input.file == "-" && !b.dryRun && b.preview == "":
		return errors.New("rows from standard input need a --journal")
	}
	return b.letter.check()
}

// journalFile and resultsFile are beside the table, unless they were named.
func (b *bulkCommand) journalFile() string {
	if b.journal != "" {
		return b.journal
	}
	return b.input.file + ".journal"
}

func (b *bulkCommand) resultsFile() string {
	switch {
	case b.results != "":
		return b.results
	case b.input.file == "-":
		return b.journal + ".results.csv"
	}
	return b.input.file + ".results.csv"
}

// compile makes the letter, from the first server's own address unless --from is
// given.
func (b *bulkCommand) compile(ctx context.Context, cmd *cobra.Command, targets []*target) (*bulk.Letter, error) {
	source, err := b.letter.source(ctx, b.app)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		source.From = cmp.Or(source.From, t.from())
	}
	if source.From == "" {
		return nil, misuse(cmd, errors.New("who sends it? Give --from"))
	}
	letter, err := bulk.NewLetter(source)
	if err != nil {
		return nil, withCode(exitData, err)
	}
	return letter, nil
}

// send serves metrics while the letter is sent.
func (b *bulkCommand) send(ctx context.Context, letter *bulk.Letter, targets []*target) error {
	total, err := b.input.count(ctx)
	if err != nil {
		return err
	}
	client, err := b.app.client(slices.ContainsFunc(targets, func(t *target) bool { return t.kept }), b.app.logger())
	if err != nil {
		return err
	}
	metrics, err := b.app.serveMetrics(b.metrics, client)
	if err != nil {
		return err
	}
	sent := b.sendWith(ctx, client, letter, b.servers.shares(targets), total)
	return errors.Join(sent, metrics.close())
}

// sendWith opens journal and table, and goes through the rows.
func (b *bulkCommand) sendWith(ctx context.Context, client *kaizen.Client, letter *bulk.Letter, servers []bulk.Server, total int) (err error) {
	config := b.config
	if config.Journal, config.History, err = b.openJournal(letter); err != nil {
		return err
	}
	defer config.Journal.Close() // again, in vain, once all went well
	table, closeTable, err := b.input.open(b.app.stdin)
	if err != nil {
		return err
	}
	defer closeTable()
	config.Table, config.Letter, config.Servers = table, letter, servers
	config.Again, config.Unique, config.Tries = b.again, b.unique, b.tries
	config.Progress = new(bulk.Progress)
	config.Client = client
	stop := b.app.followBulk(config.Progress, total, b.queue.on)
	ran := bulk.Run(ctx, config)
	stop()
	if err := config.Journal.Close(); err != nil {
		ran = errors.Join(ran, withCode(exitIO, err))
	}
	return b.report(ctx, config.Progress, total, ran)
}

func (b *bulkCommand) openJournal(letter *bulk.Letter) (*bulk.Journal, *bulk.History, error) {
	file := b.journalFile()
	if !b.resume {
		journal, err := bulk.Create(file, bulk.NewCampaign(), letter.Fingerprint())
		if errors.Is(err, bulk.ErrJournalExists) {
			return nil, nil, withCode(exitCantCreate, fmt.Errorf("%w\n--resume goes on where it ends; --journal names another", err))
		}
		if err != nil {
			return nil, nil, withCode(exitCantCreate, err)
		}
		return journal, nil, nil
	}
	journal, history, err := bulk.Resume(file)
	switch {
	case errors.Is(err, bulk.ErrJournalInUse):
		return nil, nil, withCode(exitTempFail, err)
	case err != nil:
		return nil, nil, withCode(exitNoInput, err)
	}
	if history.Letter != letter.Fingerprint() {
		fmt.Fprintln(b.app.stderr, b.app.yellow("kaizen: warning:"), "the letter has changed since", file, "was begun; those who have it do not get the new one")
	}
	return journal, history, nil
}
