package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
)

// queueing is a campaign whose rows are put into a queue, for these accounts.
func queueing(t *testing.T, n int, accounts ...string) (*campaign, queue.Store) {
	t.Helper()
	c, store := newCampaign(t, n), memory.New()
	for _, name := range accounts {
		c.config.Servers = append(c.config.Servers, bulk.Server{Account: kaizen.Account{Name: name}})
	}
	client := kaizen.New(kaizen.Config{Queue: store})
	t.Cleanup(func() { client.Close() })
	c.config.Enqueue = func(ctx context.Context, account, key string, p *kaizen.Prepared) (queue.Receipt, error) {
		return client.Enqueue(ctx, account, p, kaizen.EnqueueOptions{Key: key})
	}
	return c, store
}

func jobsOf(t *testing.T, store queue.Store) (to map[string]int) {
	t.Helper()
	jobs, err := store.List(t.Context(), time.Now(), queue.Filter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	to = map[string]int{}
	for _, j := range jobs {
		to[j.Recipients[0].Address]++
		if !strings.HasPrefix(j.Key, "test/") {
			t.Errorf("job %s has the key %q", j.ID, j.Key)
		}
	}
	return to
}

func TestRowsAreQueued(t *testing.T) {
	t.Parallel()
	c, store := queueing(t, 300, "office", "backup")
	if p := c.mustRun(); p.Queued.Load() != 300 || p.Rows.Load() != 300 || p.Deferred.Load() != 0 {
		t.Errorf("%d of %d rows were queued, %d deferred", p.Queued.Load(), p.Rows.Load(), p.Deferred.Load())
	}
	if n := len(jobsOf(t, store)); n != 300 {
		t.Errorf("%d jobs", n)
	}
	for address, outcome := range c.results() {
		if outcome != "queued" {
			t.Errorf("%s is %s", address, outcome)
		}
	}
	stats, err := store.Stats(t.Context(), time.Now())
	if err != nil || len(stats.Lanes) != 2 {
		t.Fatalf("%v, %v", stats, err)
	}
	for _, l := range stats.Lanes {
		if n := l.Count[queue.Queued]; n < 100 {
			t.Errorf("account %s got %d of 300", l.Name, n)
		}
	}
	if p := c.mustRun(); p.Finished.Load() != 300 || p.Queued.Load() != 0 {
		t.Errorf("resumed: %d finished, %d queued", p.Finished.Load(), p.Queued.Load())
	}
}

// A process that dies between the queue and the journal queues the row again, with
// the same key.
func TestNoRowIsQueuedTwice(t *testing.T) {
	t.Parallel()
	c, store := queueing(t, 50, "office", "backup")
	put := c.config.Enqueue
	var mu sync.Mutex
	left := 20
	c.config.Enqueue = func(ctx context.Context, account, key string, p *kaizen.Prepared) (queue.Receipt, error) {
		receipt, err := put(ctx, account, key, p)
		mu.Lock()
		defer mu.Unlock()
		if left--; left < 0 && err == nil {
			return receipt, errors.New("killed")
		}
		return receipt, err
	}
	if err := c.run(t.Context()); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("got %v", err)
	}
	if n := c.config.Progress.Deferred.Load(); n > 0 {
		t.Errorf("%d rows count as refused, as the queue failed", n)
	}
	c.config.Enqueue = put
	c.letter.Body.Text = "Dear {{.name}}, corrected" // another message under the same key
	c.mustRun()
	to := jobsOf(t, store)
	for i := range 50 {
		if address := fmt.Sprintf("p%d@example.org", i+1); to[address] != 1 {
			t.Errorf("%s was queued %d times", address, to[address])
		}
	}
}
