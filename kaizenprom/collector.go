// Package kaizenprom shows a [kaizen.Client] to Prometheus.
//
//	client := kaizen.New(kaizen.Config{})
//	prometheus.MustRegister(kaizenprom.New(client, kaizenprom.Options{}))
//
// docs/metrics.md lists the metrics, with queries and alerts. Nothing is kept up
// to date between scrapes: each reads [kaizen.Client.Stats] and Health.
//
// No metric holds a credential. The label "account" is a name, and by default
// holds no mail address either; see [Options].
package kaizenprom

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kaizenmail/kaizen"
)

// Options say how accounts become labels. The zero value is usable.
type Options struct {
	// AccountLabel makes the label "account" of an account's name (of Stats.Account:
	// what a program calls it, else user@host:port). Accounts of one label are
	// added up. It must be quick, give the same for the same name, and be safe for
	// concurrent use.
	//
	// Default: what stands behind the last "@", since those who read metrics need
	// not be those who may read addresses. "newsletter" stays as it is,
	// "ann@smtp.example.com:587" is "smtp.example.com:587", and an account that is
	// called ann@example.com is "example.com".
	AccountLabel func(name string) string
	// MaxAccounts bounds the different labels, each of which has about a hundred
	// series; default 200. Labels keep their place in the order in which they were
	// first seen; further ones are added up as account="other".
	MaxAccounts int
}

// other is the label of accounts beyond Options.MaxAccounts.
const other = "other"

type collector struct {
	client *kaizen.Client
	labels *labels
}

// labels are those of accounts.
type labels struct {
	options Options

	mu    sync.Mutex // guards what follows
	known map[string]bool
}

func newLabels(options Options) *labels {
	if options.AccountLabel == nil {
		options.AccountLabel = withoutUser
	}
	if options.MaxAccounts <= 0 {
		options.MaxAccounts = 200
	}
	return &labels{options: options, known: make(map[string]bool)}
}

// New returns a collector of the client's statistics. It is safe for concurrent
// use, starts nothing and needs no closing; a client that is closed still has
// its totals.
//
// To register several clients, tell them apart with a label:
// prometheus.WrapRegistererWith(prometheus.Labels{"client": "bulk"}, registry).
func New(client *kaizen.Client, options Options) prometheus.Collector {
	return &collector{client: client, labels: newLabels(options)}
}

// Format tells nothing of the client: fmt would follow pointers into what it knows,
// while others change that.
func (c *collector) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "kaizen metrics") }

func withoutUser(name string) string { return name[strings.LastIndexByte(name, '@')+1:] }

// Describe implements [prometheus.Collector].
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	health := make(map[string]kaizen.Health)
	for _, h := range c.client.Health() { // before the statistics, which then have all of these accounts
		health[h.Account] = h
	}
	for label, sum := range c.byLabel(c.client.Stats(), health) {
		sum.collect(label, to)
	}
}

// byLabel adds up the accounts of each label.
func (c *collector) byLabel(stats []kaizen.Stats, health map[string]kaizen.Health) map[string]*figures {
	sums := make(map[string]*figures)
	for i := range stats {
		label := c.labels.of(stats[i].Account)
		if sums[label] == nil {
			sums[label] = newFigures()
		}
		sums[label].add(&stats[i])
		if h, ok := health[stats[i].Account]; ok {
			sums[label].addHealth(&h)
		}
	}
	return sums
}

// of bounds the labels. A label never changes its mind, or counters would go down.
func (l *labels) of(name string) string {
	label := strings.ToValidUTF8(l.options.AccountLabel(name), "\uFFFD")
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.known[label]:
		return label
	case len(l.known) >= l.options.MaxAccounts:
		return other
	}
	l.known[label] = true
	return label
}
