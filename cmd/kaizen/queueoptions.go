package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// queueOptions are the flags of a command that can queue what it would send.
type queueOptions struct {
	on         bool
	at         string
	expire     lengthFlag
	tags       []string
	unknown    queue.Policy
	durability queue.Durability
	priority   queue.Priority
	report     bool
	tagsAlone  bool      // tags have a meaning without --queue
	notBefore  time.Time // of at
}

func (o *queueOptions) bind(cmd *cobra.Command, standard queue.Priority) {
	o.expire.never = true
	flags := cmd.Flags()
	flags.BoolVar(&o.on, "queue", false, "put into the queue instead of sending; 'kaizen queue run' sends what is in it")
	flags.StringVar(&o.at, "at", "", "with --queue: not before this `TIME`, like 'in 2h', 'tomorrow 08:00' or '2026-05-04 08:00'")
	flags.Var(&o.expire, "expire", "with --queue: give up after this `DURATION`, like 4h or 3d, or never (default: the account's, else 2d)")
	tag := "with --queue: a `WORD` to find it by; may be repeated"
	if o.tagsAlone {
		tag = "a `WORD` for the rules that choose the account, and with --queue to find it by; may be repeated"
	}
	flags.StringArrayVar(&o.tags, "tag", nil, tag)
	flags.TextVar(&o.unknown, "unknown", queue.Retry, "with --queue: `WHAT` to do if nobody knows whether the server has taken it: retry, hold or never")
	flags.TextVar(&o.durability, "durability", queue.Disk, "with --queue: what it survives, a `LEVEL`: disk (a lost power supply too) or memory (not a killed process)")
	flags.TextVar(&o.priority, "priority", standard, "with --queue: its `PRIORITY`: urgent, high, normal or bulk")
	flags.BoolVar(&o.report, "report", false, "with --queue: a report to the sender if it fails or expires (RFC 3464)")
}

// queueOnly are flags that mean nothing without --queue.
var queueOnly = []string{"at", "expire", "key", "tag", "unknown", "durability", "priority", "report"}

// check finds what does not go together. direct are flags that mean nothing with
// --queue.
func (o *queueOptions) check(cmd *cobra.Command, direct ...string) (err error) {
	if !o.on {
		for _, name := range queueOnly {
			if cmd.Flags().Changed(name) && !(name == "tag" && o.tagsAlone) {
				return misuse(cmd, fmt.Errorf("--%s goes with --queue", name))
			}
		}
		return nil
	}
	for _, name := range direct {
		if cmd.Flags().Changed(name) {
			return misuse(cmd, fmt.Errorf("--%s does not go with --queue: 'kaizen queue run' does the sending", name))
		}
	}
	if o.at != "" {
		if o.notBefore, err = parseMoment(o.at, time.Now(), true); err != nil {
			return misuse(cmd, fmt.Errorf("--at: %w", err))
		}
	}
	return nil
}

// options are those of a job with this key.
func (o *queueOptions) options(key string) kaizen.EnqueueOptions {
	return kaizen.EnqueueOptions{NotBefore: o.notBefore, Expire: o.expire.length, Key: key, Tags: o.tags,
		Unknown: o.unknown, Durability: o.durability, Report: o.report}
}

// errOnlyAccounts is what to say to who would queue for a URL.
var errOnlyAccounts = errors.New("a queue knows accounts by their names: no secret ever enters it, so a URL cannot be queued for; " +
	"'kaizen account add' makes an account of it")

// queueAccount is the account that a message is queued for. Its secret is not read.
func (f *serverFlags) queueAccount(app *app, cmd *cobra.Command) (*target, error) {
	if url, _ := app.lookupEnv("KAIZEN_SERVER"); f.url != "" || f.name == "" && url != "" {
		return nil, misuse(cmd, errOnlyAccounts)
	}
	f.noSecret = true
	return f.account(app, cmd)
}
