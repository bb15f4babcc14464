package kaizenprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// figures are the statistics of all accounts of one label.
type figures struct {
	kaizen.Stats // the sums; of SessionLimit the least
	closed       map[string]int64
	failures     map[string]int64
	health
}

func newFigures() *figures {
	return &figures{closed: make(map[string]int64), failures: make(map[string]int64),
		health: health{states: make(map[kaizen.Condition]int), causes: make(map[kaizen.Cause]int)}}
}

// add takes one account in.
func (f *figures) add(s *kaizen.Stats) {
	for _, pair := range []struct{ sum, more *int }{
		{&f.Waiting, &s.Waiting}, {&f.InFlight, &s.InFlight}, {&f.Dialling, &s.Dialling}, {&f.Gated, &s.Gated},
		{&f.Busy, &s.Busy}, {&f.Idle, &s.Idle}, {&f.Quitting, &s.Quitting}, {&f.Stranded, &s.Stranded}, {&f.Capacity, &s.Capacity},
	} {
		*pair.sum += *pair.more
	}
	for _, pair := range []struct{ sum, more *int64 }{
		{&f.Dialled, &s.Dialled}, {&f.Reused, &s.Reused}, {&f.Accepted, &s.Accepted}, {&f.Rejected, &s.Rejected},
		{&f.NotSent, &s.NotSent}, {&f.Unknown, &s.Unknown}, {&f.Canceled, &s.Canceled}, {&f.Late, &s.Late},
		{&f.Repeated, &s.Repeated}, {&f.RateWaits, &s.RateWaits}, {&f.Octets, &s.Octets},
		{&f.RecipientsAccepted, &s.RecipientsAccepted}, {&f.RecipientsRejected, &s.RecipientsRejected},
	} {
		*pair.sum += *pair.more
	}
	if s.SessionLimit > 0 && (f.SessionLimit == 0 || s.SessionLimit < f.SessionLimit) {
		f.SessionLimit = s.SessionLimit
	}
	addCounts(f.closed, s.Closed)
	addCounts(f.failures, s.Failures)
	addHistogram(&f.Wait, &s.Wait)
	addHistogram(&f.Transaction, &s.Transaction)
	addHistogram(&f.Handshake, &s.Handshake)
}

func addCounts(sum, more map[string]int64) {
	for name, n := range more {
		sum[name] += n
	}
}

func addHistogram(sum, more *kaizen.Histogram) {
	if sum.Counts == nil {
		sum.Bounds, sum.Counts = more.Bounds, make([]uint64, len(more.Counts))
	}
	for i, n := range more.Counts {
		sum.Counts[i] += n
	}
	sum.Count += more.Count
	sum.Sum += more.Sum
}

// reasons are all that Stats.Closed can have. A series that is there from the
// beginning, as zero, lets a first increase be seen.
var reasons = [...]string{"idle", "messages", "lifetime", "connection-limit", "login", "room", "lost", "dial", "failback", "pool"}

func (f *figures) collect(account string, to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), append([]string{account}, labels...)...)
	}
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{account}, labels...)...)
	}
	f.collectConnections(gauge, counter)
	f.collectMessages(gauge, counter)
	f.collectHealth(account, to)
	for d, h := range map[*prometheus.Desc]*kaizen.Histogram{waitSeconds: &f.Wait, transactionSeconds: &f.Transaction, handshakeSeconds: &f.Handshake} {
		to <- prometheus.MustNewConstHistogram(d, h.Count, h.Sum.Seconds(), cumulative(h), account)
	}
}

type (
	gaugeFunc   func(d *prometheus.Desc, n int, labels ...string)
	counterFunc func(d *prometheus.Desc, n int64, labels ...string)
)

func (f *figures) collectConnections(gauge gaugeFunc, counter counterFunc) {
	gauge(connections, f.Dialling, "dialling")
	gauge(connections, f.Gated, "gated")
	gauge(connections, f.Busy, "busy")
	gauge(connections, f.Idle, "idle")
	gauge(connections, f.Quitting, "quitting")
	gauge(connections, f.Stranded, "stranded")
	counter(connectionsOpened, f.Dialled)
	counter(connectionsReused, f.Reused)
	for _, reason := range reasons {
		counter(connectionsClosed, f.closed[reason], reason)
	}
	gauge(learnedConnections, f.Capacity)
	gauge(learnedMessages, f.SessionLimit)
}

func (f *figures) collectMessages(gauge gaugeFunc, counter counterFunc) {
	gauge(messagesWaiting, f.Waiting)
	gauge(messagesInFlight, f.InFlight)
	counter(transactions, f.Accepted, "accepted")
	counter(transactions, f.Rejected, "rejected")
	counter(transactions, f.NotSent, "not_sent")
	counter(transactions, f.Unknown, "unknown")
	counter(canceled, f.Canceled)
	counter(late, f.Late)
	counter(repeated, f.Repeated)
	counter(rateWaits, f.RateWaits)
	counter(recipients, f.RecipientsAccepted, "accepted")
	counter(recipients, f.RecipientsRejected, "rejected")
	counter(acceptedBytes, f.Octets)
	for class := smtp.ClassConnect; class <= smtp.ClassClosed; class++ {
		counter(failures, f.failures[class.String()], class.String())
	}
}

// cumulative are the buckets as Prometheus wants them: each with all before it.
func cumulative(h *kaizen.Histogram) map[float64]uint64 {
	buckets := make(map[float64]uint64, len(h.Bounds))
	total := uint64(0)
	for i, bound := range h.Bounds {
		total += h.Counts[i]
		buckets[bound.Seconds()] = total
	}
	return buckets
}
