package kaizen

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// chainOutlet is how the jobs of a lane go out that is a chain of accounts: each
// through the first that can send at that moment. The lane is with the first
// account again as soon as that is well.
type chainOutlet struct {
	client *Client
	links  []link
}

// link is one account of a chain.
type link struct {
	name   string
	outlet *outlet
	err    error // why there is no outlet
}

// chainOutlet resolves the accounts of a chain. Those that are not there, or are
// paused, are left out.
func (c *Client) chainOutlet(ctx context.Context, lane string) (delivery.Outlet, error) {
	chain, err := chainOf(lane)
	if err != nil {
		return nil, err
	}
	c.deliveries.chained(lane, chain)
	o := &chainOutlet{client: c}
	for _, name := range chain {
		l := link{name: name}
		if l.err = c.pausedAlone(ctx, name); l.err == nil {
			l.outlet, l.err = c.member(ctx, name)
			c.deliveries.found(name, l.err)
		}
		o.links = append(o.links, l)
	}
	return o, nil
}

// standingStill is when accounts that cannot be used are looked at again.
const standingStill = 2 * time.Second

// Room is that of the first account that serves. One that is down takes a message
// more, to find out whether it is back.
func (o *chainOutlet) Room(depth, own int) delivery.Room {
	var why []string
	probes, asking := 0, false
	all := delivery.Room{Stopped: true, Again: time.Now().Add(standingStill)}
	for i := range o.links {
		l := &o.links[i]
		r, down := l.room(depth, own)
		switch {
		case r.Err != nil:
			why = append(why, l.name+": "+r.Err.Error())
			all.Stopped = all.Stopped && r.Stopped
			if !r.Again.IsZero() && r.Again.Before(all.Again) {
				all.Again = r.Again
			}
		case down:
			probes, asking = probes+r.Messages, true
		default:
			r.Messages += probes
			return r
		}
	}
	if asking {
		return delivery.Room{Messages: probes, Connections: 1}
	}
	all.Err = errors.New(strings.Join(why, "; "))
	return all
}

// room is that of one account. Of one that is down it does not count what the lane
// has on its way through others.
func (l *link) room(depth, own int) (r delivery.Room, down bool) {
	if l.err != nil {
		return delivery.Room{Err: l.err, Stopped: true}, false
	}
	if down = l.outlet.way.down(); down {
		own = 0
	}
	return l.outlet.Room(depth, own), down
}

// Send sends through the first account that can. What certainly was not sent, for
// the account's sake, goes on to the next at once.
func (o *chainOutlet) Send(ctx context.Context, m delivery.Message) delivery.Result {
	links, alone, err := o.only(ctx, m.Job)
	if err != nil {
		return alone.rest(delivery.Result{Tried: len(m.To)}, err)
	}
	t := passage{ctx: ctx, message: m}
	r := t.along(links)
	if alone.account == "" || t.done || r.Last != nil {
		return r
	}
	r = alone.rest(r, fmt.Errorf("%s: %w", onlyThrough(alone.account), r.Err))
	room, _ := links[0].room(1, 0)
	r.Stopped = room.Stopped
	return r
}

// along tries the accounts in turn.
func (t *passage) along(links []link) delivery.Result {
	var later []*link
	for i := range links {
		l := &links[i]
		room, down := l.room(1, 0)
		switch {
		case room.Err != nil:
			t.pass(l.name, room.Err)
		case down && room.Messages == 0 && len(links) == 1: // in doubt: it would hold up those whom others serve
			t.pass(l.name, errBeingAsked)
		case down && room.Messages == 0: // another message asks
			later = append(later, l)
		default:
			t.through(l)
		}
		if t.done {
			return t.result
		}
	}
	for _, l := range later {
		if t.through(l); t.done {
			return t.result
		}
	}
	return t.end()
}

var errBeingAsked = errors.New("it is down, and another message finds out whether it still is")

// passage is one job on its way, account by account.
type passage struct {
	ctx     context.Context
	message delivery.Message
	passed  []string
	result  delivery.Result // the latest; one of a server goes before others
	done    bool
}

func (t *passage) pass(name string, err error) {
	t.passed = append(t.passed, name+": "+err.Error())
}

func (t *passage) through(l *link) {
	if err := l.outlet.way.open(t.ctx); err != nil {
		t.pass(l.name, err)
		return
	}
	r := l.outlet.Send(t.ctx, t.message)
	r.Account, r.Before = l.name, shortened(t.passed)
	if t.done = !goesOn(t.ctx, &r); t.done || r.Last != nil || t.result.Last == nil {
		t.result = r
	}
	if !t.done {
		t.pass(l.name, r.Err)
	}
}

// end is the result if no account could send.
func (t *passage) end() delivery.Result {
	if t.result.Account == "" {
		t.result = delivery.Result{Tried: len(t.message.To), Before: shortened(t.passed),
			Err: &smtp.Error{Phase: smtp.PhaseWaiting, Class: ErrConnect, Err: fmt.Errorf("no account can send: %s", strings.Join(t.passed, "; "))}}
	}
	return t.result
}

// shortened is what a history keeps.
func shortened(passed []string) string {
	text := strings.Join(passed, "; ")
	if len(text) > queue.MaxText {
		return strings.ToValidUTF8(text[:queue.MaxText-3], "") + "…"
	}
	return text
}

// goesOn reports whether a job may be tried through the next account: nobody got
// it, for certain, and for no reason that lies in the message.
func goesOn(ctx context.Context, r *delivery.Result) bool {
	var e *smtp.Error
	if ctx.Err() != nil || !errors.As(r.Err, &e) || e.Outcome == smtp.Unknown || errors.As(r.Err, new(*delivery.ReadError)) {
		return false
	}
	if r.Last == nil {
		return accountsMatter(e.Class, false)
	}
	for i := range r.Last.Recipients {
		if !movesOn(&r.Last.Recipients[i], []*smtp.Result{r.Last}) {
			return false
		}
	}
	return true
}

// chained notes that a lane is looked at when one of these accounts changes.
func (d *deliveries) chained(lane string, chain routing.Chain) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.chains == nil {
		d.chains = make(map[string]map[string]bool)
	}
	for _, name := range chain {
		if d.chains[name] == nil {
			d.chains[name] = make(map[string]bool)
		}
		d.chains[name][lane] = true
	}
}

// chainsOf are the lanes that an account is a part of.
func (d *deliveries) chainsOf(account string) (lanes []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for lane := range d.chains[account] {
		lanes = append(lanes, lane)
	}
	return lanes
}
