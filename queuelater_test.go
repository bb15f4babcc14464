package kaizen_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// A process that ends between the failure of a message and its report leaves the
// report to the next one, which makes one.
func TestQueueReportsWhatWasNotReported(t *testing.T) {
	bubble(t, smtptest.Config{KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{Report: true})
		ctx, now := context.Background(), time.Now()
		claimed, err := o.store.Claim(ctx, now, []queue.Want{{Lane: "ses", Count: 1, Begin: true}})
		if err != nil || len(claimed[0].Claims) != 1 {
			t.Fatal(claimed, err)
		}
		to := claimed[0].Claims[0].Job.Recipients
		to[0].State, to[0].Outcome, to[0].Reply = queue.Failed, smtp.Rejected, smtp.Reply{Code: 550, Text: "No such user"}
		settled, err := o.store.Settle(ctx, now, []queue.Settlement{{Token: claimed[0].Claims[0].Token, State: queue.Failed, Recipients: to,
			Attempt: &queue.Attempt{Started: now, Outcome: smtp.Rejected, Reply: to[0].Reply}}})
		if err != nil || settled[0] != nil {
			t.Fatal(settled, err)
		}
		o.wants(id, queue.Failed)
		o.run()
		pass(time.Minute)
		if list := reports(s); len(list) != 1 || !strings.Contains(string(list[0].Data), "550") {
			t.Errorf("%d reports", len(list))
		}
	})
}

// Who closes the store under a run ends it.
func TestQueueStoreIsClosed(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		ended := make(chan error, 1)
		go func() { ended <- o.client.Run(context.Background()) }()
		synctest.Wait()
		if err := o.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, queue.ErrClosed) {
			t.Errorf("run ended with %v", err)
		}
		o.close()
	})
}

// Others are told that the process which delivers cannot use an account.
func TestQueueTellsOfUnusableAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, store := t.TempDir(), memory.New()
		client := kaizen.New(kaizen.Config{Queue: store, StateDir: dir, Accounts: new(named)})
		client.UseTestClock()
		if _, err := client.Enqueue(t.Context(), "gone", note("1"), kaizen.EnqueueOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()
		time.Sleep(3 * time.Second)
		list, err := kaizen.ReadStatus(dir)
		if err != nil || len(list) != 1 || !strings.Contains(list[0].Unusable, `no account "gone"`) {
			t.Errorf("%+v, %v", list, err)
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}

// lateStore keeps those who put a job waiting when it was put.
type lateStore struct{ queue.Store }

func (s lateStore) Put(ctx context.Context, now time.Time, jobs []queue.Submission) ([]queue.Receipt, error) {
	receipts, err := s.Store.Put(ctx, now, jobs)
	<-time.After(time.Second)
	return receipts, err
}

// That a job was queued is told first, however soon it is sent.
func TestQueueTellsInOrder(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, lateStore{memory.New()}, map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{})
		pass(time.Second)
		o.wants(id, queue.Sent)
		if kinds := o.kinds(id); len(kinds) != 2 || kinds[0] != kaizen.JobQueued {
			t.Errorf("told %q", kinds)
		}
	})
}
