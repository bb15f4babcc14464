package kaizenprom

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kaizenmail/kaizen/queue"
)

var (
	queueJobs       = describe("queue_jobs", "Jobs of the queue by their state; finished ones as long as they are remembered.", "state")
	queueOldest     = describe("queue_oldest_due_timestamp_seconds", "Since when the job of the queue is due that is due longest; missing if none is.")
	queuePaused     = describe("queue_paused", "Whether the account is paused in the queue: 1 or 0.")
	queueDelivering = prometheus.NewDesc("kaizen_queue_delivering", "Whether some process delivers from the queue: 1 or 0.", nil, nil)
)

// countTimeout bounds how long a store may take to count its jobs.
const countTimeout = 10 * time.Second

type queueCollector struct {
	store  queue.Store
	labels *labels
}

// NewQueue returns a collector of how many jobs a store has, for each account. It
// is safe for concurrent use, starts nothing and needs no closing. A store that
// fails, or was closed, makes the scrape fail.
func NewQueue(store queue.Store, options Options) prometheus.Collector {
	return &queueCollector{store: store, labels: newLabels(options)}
}

// Format tells nothing of the store.
func (c *queueCollector) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "kaizen queue metrics")
}

// Describe implements [prometheus.Collector].
func (c *queueCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueJobs, queueOldest, queuePaused, queueDelivering} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *queueCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	stats, err := c.store.Stats(ctx, time.Now())
	if err != nil {
		to <- prometheus.NewInvalidMetric(queueJobs, fmt.Errorf("count the jobs of the queue: %w", err))
		return
	}
	sums := make(map[string]*queue.Lane)
	for i := range stats.Lanes {
		c.add(sums, &stats.Lanes[i])
	}
	for label, sum := range sums {
		collectLane(label, sum, to)
	}
	to <- prometheus.MustNewConstMetric(queueDelivering, prometheus.GaugeValue, flag(stats.Delivering))
}

// add adds up the lanes of each label.
func (c *queueCollector) add(sums map[string]*queue.Lane, l *queue.Lane) {
	label := c.labels.of(l.Name)
	sum := sums[label]
	if sum == nil {
		sum = &queue.Lane{Count: make(map[queue.State]int)}
		sums[label] = sum
	}
	for state, n := range l.Count {
		sum.Count[state] += n
	}
	if !l.Oldest.IsZero() && (sum.Oldest.IsZero() || l.Oldest.Before(sum.Oldest)) {
		sum.Oldest = l.Oldest
	}
	if !l.Paused.IsZero() {
		sum.Paused = l.Paused
	}
}

func collectLane(account string, l *queue.Lane, to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, append([]string{account}, labels...)...)
	}
	for _, state := range queue.States() {
		gauge(queueJobs, float64(l.Count[state]), state.String())
	}
	if !l.Oldest.IsZero() {
		gauge(queueOldest, float64(l.Oldest.UnixMilli())/1000)
	}
	gauge(queuePaused, flag(!l.Paused.IsZero()))
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
