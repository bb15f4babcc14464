package kaizen

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
)

// published is what a process shows of one account.
type published struct {
	Health    Health  `json:"health"`
	Stats     Stats   `json:"stats"`
	PerSecond float64 `json:"per_second"`
	Unusable  string  `json:"unusable,omitempty"` // why the queue cannot send with it
}

const (
	// publishEvery is how often a process shows how it is doing.
	publishEvery = time.Second
	// paceSpan is over how long the messages per second are counted.
	paceSpan = 5 * time.Second
)

// publish shows others how this process is doing, as long as the client lives.
func (c *Client) publish() {
	ticker := time.NewTicker(publishEvery)
	defer ticker.Stop()
	paces := paces{last: time.Now(), marks: make(map[string][]paceMark)}
	var last []published
	for {
		select {
		case <-c.state.ended:
			return
		case now := <-ticker.C:
			shown := c.published(&paces, now)
			if reflect.DeepEqual(shown, last) {
				continue
			}
			last = shown
			// That others cannot see it harms no message, and the next second tries again.
			_ = c.state.dir.Publish(shown)
		}
	}
}

func (c *Client) published(paces *paces, now time.Time) (list []published) {
	stats := c.Stats()
	for _, h := range c.Health() {
		i := slices.IndexFunc(stats, func(s Stats) bool { return s.Account == h.Account })
		if i >= 0 {
			list = append(list, published{Health: h, Stats: stats[i], PerSecond: paces.of(h.Account, stats[i].Accepted, now)})
		}
	}
	paces.last = now
	return withUnusable(list, c.deliveries.shown())
}

// withUnusable tells of accounts that the queue has jobs for and cannot use.
func withUnusable(list []published, unusable map[string]string) []published {
	for _, name := range slices.Sorted(maps.Keys(unusable)) {
		i := slices.IndexFunc(list, func(p published) bool { return p.Health.Account == name })
		if i < 0 {
			i = len(list)
			list = append(list, published{Health: Health{Account: name}, Stats: Stats{Account: name}})
		}
		list[i].Unusable = unusable[name]
	}
	return list
}

// paces tell how fast accounts send, from their totals.
type paces struct {
	last  time.Time // when they were looked at
	marks map[string][]paceMark
}

// paceMark is a total at a time.
type paceMark struct {
	at       time.Time
	accepted int64
}

// of is the account's messages per second over the last paceSpan, in hundredths.
func (p *paces) of(account string, accepted int64, now time.Time) float64 {
	marks := p.marks[account]
	if marks == nil {
		marks = []paceMark{{p.last, 0}} // it is new since then
	}
	marks = append(marks, paceMark{now, accepted})
	for len(marks) > 2 && now.Sub(marks[1].at) >= paceSpan {
		marks = marks[1:]
	}
	p.marks[account] = marks
	span := now.Sub(marks[0].at).Seconds()
	if span <= 0 {
		return 0
	}
	return math.Round(float64(accepted-marks[0].accepted)/span*100) / 100
}
