package smtptest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are the counters of a server.
type Stats struct {
	Connections int // accepted, the refused ones included
	Open        int // now: not yet closed by either side
	Peak        int // highest number open at once

	LoginsAccepted int
	LoginsRefused  int // temporarily or permanently

	Commands int // command lines read
	Mails    int // MAIL commands among them
	Accepted int // messages taken, also if the reply was lost by a fault
	Rejected int // transactions refused, or ended by a fault, at DATA or at the end of the content

	MostMessages int // accepted on one connection, at most

	OctetsIn, OctetsOut int64 // on the wire, TLS included
	Flights             int64 // writes of replies
	// RoundTrips are the flights after which the server had nothing left to do
	// but to wait for the client: greetings included, TLS handshakes and the last
	// replies before a close not.
	RoundTrips int64
}

// Tally is what was accepted under one Message-ID.
type Tally struct {
	Times      int      // how often
	Recipients []string // of all these times, so that repetitions show
}

// Duplicates returns the recipients who got the message more than once.
func (t Tally) Duplicates() []string {
	seen := map[string]int{}
	for _, r := range t.Recipients {
		seen[r]++
	}
	var twice []string
	for r, n := range seen {
		if n > 1 {
			twice = append(twice, r)
		}
	}
	slices.Sort(twice)
	return twice
}

// ConnectionInfo is what happened on one connection.
type ConnectionInfo struct {
	Number    int // from 1, in the order of acceptance
	Opened    time.Time
	Closed    time.Time // zero while open
	Client    string    // address it came from; as net.Conn.RemoteAddr tells
	TLS       bool
	Resumed   bool   // with a TLS session of an earlier connection
	Mechanism string // of the login; empty without one
	User      string
	Hello     string // what the client called itself
	Stats     Stats  // of this connection alone
}

type taken struct {
	id string
	to []string
}

// ledger is the account of one connection. The connection's goroutine writes,
// anyone reads: the lock is all but never contended.
type ledger struct {
	commands, mails, accepted, rejected atomic.Int64
	loginsAccepted, loginsRefused       atomic.Int64
	octetsIn, octetsOut                 atomic.Int64
	flights, roundTrips                 atomic.Int64

	mu         sync.Mutex
	info       ConnectionInfo
	taken      []taken
	mailTimes  []time.Time
	messages   []*Message
	transcript []byte
}

func (l *ledger) stats() Stats {
	return Stats{
		Connections:    1,
		LoginsAccepted: int(l.loginsAccepted.Load()),
		LoginsRefused:  int(l.loginsRefused.Load()),
		Commands:       int(l.commands.Load()),
		Mails:          int(l.mails.Load()),
		Accepted:       int(l.accepted.Load()),
		MostMessages:   int(l.accepted.Load()),
		Rejected:       int(l.rejected.Load()),
		OctetsIn:       l.octetsIn.Load(),
		OctetsOut:      l.octetsOut.Load(),
		Flights:        l.flights.Load(),
		RoundTrips:     l.roundTrips.Load(),
	}
}

func (s *Stats) add(o Stats) {
	s.Connections += o.Connections
	s.LoginsAccepted += o.LoginsAccepted
	s.LoginsRefused += o.LoginsRefused
	s.Commands += o.Commands
	s.Mails += o.Mails
	s.Accepted += o.Accepted
	s.Rejected += o.Rejected
	s.MostMessages = max(s.MostMessages, o.MostMessages)
	s.OctetsIn += o.OctetsIn
	s.OctetsOut += o.OctetsOut
	s.Flights += o.Flights
	s.RoundTrips += o.RoundTrips
}

func (l *ledger) note(change func(*ConnectionInfo)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.info)
}

func (l *ledger) mailRead(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mailTimes = append(l.mailTimes, now)
}

func (l *ledger) take(id string, to []string, kept *Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = append(l.taken, taken{id, to})
	if kept != nil {
		l.messages = append(l.messages, kept)
	}
}

// Stats returns the counters so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := s.folded
	for _, l := range s.ledgers {
		total.add(l.stats())
	}
	total.Open, total.Peak = s.openNow(), s.peak
	return total
}

// Accepted returns what was accepted, by Message-ID without white space around
// it; messages without one are under "".
func (s *Server) Accepted() map[string]Tally {
	all := map[string]Tally{}
	s.eachLedger(func(l *ledger) {
		for _, t := range l.taken {
			tally := all[t.id]
			tally.Times++
			tally.Recipients = append(tally.Recipients, t.to...)
			all[t.id] = tally
		}
	})
	return all
}

// MailTimes returns when each MAIL command was read, by this machine's clock,
// in order: what a limit in a sliding window is checked with.
func (s *Server) MailTimes() []time.Time {
	var all []time.Time
	s.eachLedger(func(l *ledger) { all = append(all, l.mailTimes...) })
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// Messages returns what was kept of the messages accepted, in that order.
func (s *Server) Messages() []*Message {
	var all []*Message
	s.eachLedger(func(l *ledger) { all = append(all, l.messages...) })
	slices.SortFunc(all, func(a, b *Message) int { return int(a.Number - b.Number) })
	return all
}

// Connections tells about each connection, in the order of acceptance.
func (s *Server) Connections() []ConnectionInfo {
	var all []ConnectionInfo
	s.eachLedger(func(l *ledger) {
		info := l.info
		info.Stats = l.stats()
		all = append(all, info)
	})
	return all
}

func (s *Server) eachLedger(visit func(*ledger)) {
	s.mu.Lock()
	ledgers := slices.Clone(s.ledgers)
	s.mu.Unlock()
	for _, l := range ledgers {
		l.mu.Lock()
		visit(l)
		l.mu.Unlock()
	}
}
