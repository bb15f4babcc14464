package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
)

// statusSource is what is looked at.
type statusSource struct {
	store *accounts.Store
	dir   string   // of state
	names []string // of the accounts that are wanted; nil: all
	queue *statusQueue
}

// statusReport is what --json prints. Its keys stay as they are.
type statusReport struct {
	Time     time.Time       `json:"time"`
	StateDir string          `json:"state_dir"`
	Accounts []accountStatus `json:"accounts"`
	Problems []string        `json:"problems,omitempty"` // what could not be read

	failed error // the same
}

// accountStatus is one account. What is counted is the sum over the processes that
// use it now, each since it began.
type accountStatus struct {
	Name         string                `json:"name"`
	Configured   bool                  `json:"configured"`
	oauth        bool                  // it logs in with tokens
	command      bool                  // it hands messages to a command
	Condition    string                `json:"condition"` // healthy, degraded, down, stopped, idle
	Cause        string                `json:"cause,omitempty"`
	Reason       string                `json:"reason,omitempty"`
	Advice       string                `json:"advice,omitempty"`
	Since        time.Time             `json:"since,omitzero"`
	Server       string                `json:"server,omitempty"`
	Servers      []kaizen.ServerHealth `json:"servers,omitempty"` // if there are several
	LMTP         bool                  `json:"lmtp,omitempty"`
	NextProbe    time.Time             `json:"next_probe,omitzero"`
	LastAccepted time.Time             `json:"last_accepted,omitzero"`
	Certificate  time.Time             `json:"certificate_expires,omitzero"`
	Warnings     []string              `json:"warnings,omitempty"`
	statusCounts
	Queue     *queueDepth           `json:"queue,omitempty"`
	Limits    []limitUse            `json:"limits,omitempty"`
	Learned   []kaizen.LearnedLimit `json:"learned,omitempty"`
	Processes []processReport       `json:"processes,omitempty"`
}

// statusCounts are the figures of an account, or of a process.
type statusCounts struct {
	Waiting   int     `json:"waiting"`
	InFlight  int     `json:"in_flight"`
	Open      int     `json:"connections_open"`
	Busy      int     `json:"connections_busy"`
	Idle      int     `json:"connections_idle"`
	Capacity  int     `json:"connections_capacity"`
	Accepted  int64   `json:"accepted"`
	Rejected  int64   `json:"rejected"`
	NotSent   int64   `json:"not_sent"`
	Unknown   int64   `json:"unknown"`
	PerSecond float64 `json:"per_second"` // accepted, over the last five seconds
}

// limitUse is a rate, and how much of it is used by all processes together.
type limitUse struct {
	Limit   string  `json:"limit"` // as in settings
	Count   int     `json:"count"`
	Unit    string  `json:"unit"` // messages, recipients, octets
	Seconds float64 `json:"seconds"`
	Used    int64   `json:"used"`
	FreeIn  float64 `json:"free_in_seconds"` // until there is room for one more; 0: there is

	rate kaizen.Rate
}

// processReport is a process that uses the account.
type processReport struct {
	PID       int       `json:"pid"`
	Program   string    `json:"program"`
	Started   time.Time `json:"started,omitzero"`
	Condition string    `json:"condition"`
	Cause     string    `json:"cause,omitempty"`
	statusCounts
}

const (
	conditionStopped = "stopped"
	conditionIdle    = "idle"
)

// look reads everything anew. That something cannot be read does not hide the rest.
func (s *statusSource) look(now time.Time) *statusReport {
	r := &statusReport{Time: now, StateDir: s.dir, Accounts: []accountStatus{}}
	known, err := kaizen.ReadStatus(s.dir)
	entries, err2 := s.store.Entries()
	queued, err3 := s.queue.stats(now)
	if r.failed = errors.Join(err, err2, err3); r.failed != nil {
		r.Problems = strings.Split(r.failed.Error(), "\n")
	}
	for i := range known {
		r.Accounts = append(r.Accounts, newAccountStatus(&known[i], now))
	}
	for i := range entries {
		r.configured(&entries[i])
	}
	r.addQueue(queued)
	if s.names != nil {
		r.Accounts = slices.DeleteFunc(r.Accounts, func(a accountStatus) bool { return !slices.Contains(s.names, a.Name) })
	}
	slices.SortFunc(r.Accounts, func(a, b accountStatus) int { return cmp.Compare(a.Name, b.Name) })
	for i := range r.Accounts {
		r.Accounts[i].Advice = r.Accounts[i].advice(now)
	}
	return r
}

// configured adds what the account files say.
func (r *statusReport) configured(e *accounts.Entry) {
	s := r.find(e.Name)
	if s == nil {
		r.Accounts = append(r.Accounts, accountStatus{Name: e.Name, Condition: conditionIdle})
		s = &r.Accounts[len(r.Accounts)-1]
	}
	s.Configured, s.oauth, s.command = true, e.UsesOAuth(), len(e.Sendmail) > 0
	account, err := e.Account()
	if err != nil {
		return // to use it tells why
	}
	if s.Server == "" {
		s.Server, s.LMTP = serverOf(&account), account.LMTP
	}
	if s.Limits != nil {
		return
	}
	rates := account.Limits.Rates
	if rates == nil {
		rates = []kaizen.Rate{standardRate}
	}
	for _, rate := range rates {
		s.Limits = append(s.Limits, newLimitUse(kaizen.LimitStatus{Rate: rate}))
	}
}

// standardRate is that of every account that has no other.
var standardRate = kaizen.Rate{Count: 10, Per: time.Second}

func (r *statusReport) find(name string) *accountStatus {
	i := slices.IndexFunc(r.Accounts, func(s accountStatus) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	return &r.Accounts[i]
}

// nobody is what to say if there is no account at all.
func (r *statusReport) nobody() string {
	return fmt.Sprintf("There are no accounts yet, and no program has used the state directory %s. 'kaizen account add' makes an account.", r.StateDir)
}

func newAccountStatus(k *kaizen.Status, now time.Time) accountStatus {
	h := &k.Health
	s := accountStatus{Name: k.Account, Condition: h.Condition.String(), Cause: string(h.Cause), Reason: h.Reason, Since: h.Since,
		Server: h.Server, Servers: h.Servers, LMTP: h.LMTP, LastAccepted: h.LastAccepted, Certificate: h.Certificate, Warnings: h.Warnings, Learned: h.Learned}
	if h.NextProbe.After(now) {
		s.NextProbe = h.NextProbe
	}
	switch {
	case h.Stopped():
		s.Condition = conditionStopped
	case len(k.Processes) == 0 && h.Condition != kaizen.Down:
		s.Condition = conditionIdle
	}
	for _, l := range k.Limits {
		s.Limits = append(s.Limits, newLimitUse(l))
	}
	for i := range k.Processes {
		p := newProcessReport(&k.Processes[i])
		s.Processes = append(s.Processes, p)
		s.add(&p.statusCounts)
	}
	return s
}

func newLimitUse(l kaizen.LimitStatus) limitUse {
	unit := map[kaizen.Unit]string{kaizen.Messages: "messages", kaizen.Recipients: "recipients", kaizen.Octets: "octets"}[l.Rate.Unit]
	return limitUse{Limit: l.Rate.String(), Count: l.Rate.Count, Unit: unit, Seconds: l.Rate.Per.Seconds(), Used: l.Used,
		FreeIn: l.Free.Seconds(), rate: l.Rate}
}

func newProcessReport(p *kaizen.ProcessStatus) processReport {
	s := &p.Stats
	r := processReport{PID: p.PID, Program: p.Program, Started: p.Started, Condition: p.Health.Condition.String(), Cause: string(p.Health.Cause),
		statusCounts: statusCounts{Waiting: s.Waiting, InFlight: s.InFlight, Open: s.Open, Busy: s.Busy, Idle: s.Idle, Capacity: s.Capacity,
			Accepted: s.Accepted, Rejected: s.Rejected, NotSent: s.NotSent, Unknown: s.Unknown, PerSecond: p.PerSecond}}
	if p.Health.Stopped() {
		r.Condition = conditionStopped
	}
	return r
}

func (c *statusCounts) add(d *statusCounts) {
	c.Waiting += d.Waiting
	c.InFlight += d.InFlight
	c.Open += d.Open
	c.Busy += d.Busy
	c.Idle += d.Idle
	c.Capacity += d.Capacity
	c.Accepted += d.Accepted
	c.Rejected += d.Rejected
	c.NotSent += d.NotSent
	c.Unknown += d.Unknown
	c.PerSecond += d.PerSecond
}

// serves reports whether messages could go out.
func (s *accountStatus) serves() bool {
	return s.Condition != conditionStopped && s.Condition != kaizen.Down.String()
}

// healthy reports whether there is nothing to say about it.
func (s *accountStatus) healthy() bool {
	return s.Condition == conditionIdle || s.Condition == kaizen.Healthy.String()
}
