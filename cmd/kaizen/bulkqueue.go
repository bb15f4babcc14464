package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/spf13/cobra"
)

// onlySentInBulk are flags of kaizen bulk that have no meaning where nobody is
// connected to.
var onlySentInBulk = []string{"server", "password-file", "ca", "resend-unknown", "resend-rejected", "tries", "retry-after",
	"give-up-after", "max-failures", "metrics"}

// queueTargets are the accounts that the rows are queued for.
func (f *bulkServers) queueTargets(app *app, cmd *cobra.Command) (targets []*target, err error) {
	if err := f.check(); err != nil {
		return nil, misuse(cmd, err)
	}
	f.several = true
	for _, one := range f.each() {
		t, err := one.queueAccount(app, cmd)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// enqueue puts all rows into the queue.
func (b *bulkCommand) enqueue(ctx context.Context, letter *bulk.Letter, targets []*target) error {
	total, err := b.input.count(ctx)
	if err != nil {
		return err
	}
	return b.app.withQueue(func(q *mailQueue) error {
		client, err := q.client()
		if err != nil {
			return err
		}
		b.config.Enqueue = b.enqueueWith(client, targets)
		err = b.sendWith(ctx, client, letter, b.servers.shares(targets), total)
		return errors.Join(err, client.Close(), b.nextSteps(ctx, q))
	})
}

// enqueueWith queues a row. Of one that the rules send in several parts the first
// stands for all.
func (b *bulkCommand) enqueueWith(client *kaizen.Client, targets []*target) bulk.Enqueue {
	return func(ctx context.Context, account, key string, p *kaizen.Prepared) (queue.Receipt, error) {
		p.Priority = b.queue.priority
		if targets[0].routed {
			account = ""
		}
		parts, err := client.EnqueueAll(ctx, account, p, b.queue.options(key))
		if err != nil {
			return queue.Receipt{}, err
		}
		return parts[0].Receipt, nil
	}
}

// nextSteps are for the person, not for a program.
func (b *bulkCommand) nextSteps(ctx context.Context, q *mailQueue) error {
	stats, err := q.Stats(context.WithoutCancel(ctx), q.now)
	if err == nil && !stats.Delivering && !b.json {
		fmt.Fprintln(b.app.stderr, "Nobody delivers now: 'kaizen queue run' sends what is queued.")
	}
	return err
}
