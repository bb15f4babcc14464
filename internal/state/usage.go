package state

import (
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

// usage is what is known of the windows of one account: what was done when, and
// who holds how much that may be done at any moment. Times are of the folder's
// clock; where they are not exact, they are too late.
type usage struct {
	Account string            `json:"account"`
	Clock   mark              `json:"clock"`
	Rates   []limit.Rate      `json:"rates,omitempty"` // that were asked for last
	Keep    time.Duration     `json:"keep"`            // the longest window that was ever asked for
	Done    []done            `json:"done,omitempty"`
	Owners  map[string]*owner `json:"owners,omitempty"`
	// blank: what was known is lost, so that everything may have been used just now.
	blank bool
}

// done is what ended at a moment, oldest first.
type done struct {
	At time.Duration `json:"at"`
	limit.Use
}

// owner is a process that was granted something.
type owner struct {
	Held  limit.Use    `json:"held,omitzero"` // granted, and not done yet
	Rates []limit.Rate `json:"rates,omitempty"`
}

// longestKept bounds how long anything is remembered.
const longestKept = 32 * 24 * time.Hour

// exchange is one step of owner id at time now.
func (u *usage) exchange(id string, now time.Duration, age func(time.Time) time.Duration, x limit.Exchange) limit.Grant {
	own := u.own(id)
	if len(x.Rates) > 0 {
		u.Rates = x.Rates
	}
	for _, r := range x.Rates {
		u.Keep = min(max(u.Keep, r.Per), longestKept)
	}
	for _, d := range x.Done {
		own.Held = less(own.Held, d.Granted)
		u.add(now-max(age(d.At), 0), d.Use)
	}
	own.Held = less(own.Held, x.Back)
	own.Rates = x.Rates // not before: what is done is noted as finely as the windows it was done under want it
	if u.blank {
		u.add(now, everything(x.Rates))
		u.blank = false
	}
	u.prune(now)
	grant := u.grant(own, now, x)
	own.Held = own.Held.Plus(x.Each.Times(int64(grant.Count)))
	if own.Held.IsZero() && len(x.Rates) == 0 {
		delete(u.Owners, id)
	}
	return grant
}

func (u *usage) own(id string) *owner {
	if u.Owners == nil {
		u.Owners = make(map[string]*owner)
	}
	if u.Owners[id] == nil {
		u.Owners[id] = new(owner)
	}
	return u.Owners[id]
}

// bury counts what a dead process held as done now, when its death was noticed:
// its connections had ended by then.
func (u *usage) bury(id string, now time.Duration) {
	if held := u.Owners[id].Held; !held.IsZero() {
		u.add(now, held)
	}
	delete(u.Owners, id)
}

// grain is to what part of the shortest window times are rounded up.
const grain = 200

// add notes what was done, no earlier than it was.
func (u *usage) add(at time.Duration, use limit.Use) {
	if g := u.shortest() / grain; g > 0 {
		at = (at + g - 1) / g * g
	}
	i := len(u.Done)
	for i > 0 && u.Done[i-1].At > at {
		i--
	}
	if i > 0 && u.Done[i-1].At == at {
		u.Done[i-1].Use = u.Done[i-1].Plus(use)
		return
	}
	u.Done = slices.Insert(u.Done, i, done{at, use})
}

// windows are those of all owners.
func (u *usage) windows() (all []limit.Rate) {
	for _, o := range u.Owners {
		for _, r := range o.Rates {
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all
}

func (u *usage) shortest() time.Duration {
	shortest := u.Keep
	for _, w := range u.windows() {
		shortest = min(shortest, w.Per)
	}
	return shortest
}

// prune forgets what no window holds any more, and makes one of what only long
// windows can tell apart.
func (u *usage) prune(now time.Duration) {
	u.Done = slices.DeleteFunc(u.Done, func(d done) bool { return d.At+u.Keep <= now })
	spans := []time.Duration{}
	for _, w := range u.windows() {
		spans = append(spans, w.Per)
	}
	slices.Sort(spans)
	for i := 1; i < len(spans); i++ {
		u.coarsen(now-spans[i-1], spans[i]/1000)
	}
}

// coarsen rounds up to a multiple of g what is, even then, older than before.
func (u *usage) coarsen(before, g time.Duration) {
	if g <= 0 {
		return
	}
	kept := u.Done[:0]
	for _, d := range u.Done {
		if at := (d.At + g - 1) / g * g; at < before {
			d.At = at
		}
		if n := len(kept); n > 0 && kept[n-1].At == d.At {
			kept[n-1].Use = kept[n-1].Plus(d.Use)
			continue
		}
		kept = append(kept, d)
	}
	u.Done = kept
}

// grant finds how many messages fit into all windows.
func (u *usage) grant(own *owner, now time.Duration, x limit.Exchange) limit.Grant {
	var held limit.Use
	for _, o := range u.Owners {
		held = held.Plus(o.Held)
	}
	g := limit.Grant{Count: x.Count}
	for _, w := range u.windows() {
		each := x.Each.Of(w.Unit)
		if each <= 0 || x.Count == 0 {
			continue
		}
		if each > int64(w.Count) {
			return limit.Grant{Bound: w}
		}
		room := int64(w.Count) - u.used(w, now) - held.Of(w.Unit)
		if n := int(max(room/each, 0)); n < g.Count {
			g.Count = n
		}
		if room >= each {
			continue
		}
		if retry := u.free(w, now, each-room); g.Bound == (limit.Rate{}) || retry > g.Retry {
			g.Retry, g.Bound = retry, w
		}
	}
	if g.Count < 1 && x.Count > 0 {
		g.Count = 0
		g.Shared = !held.Minus(own.Held).IsZero()
	}
	return g
}

// used is what a window holds.
func (u *usage) used(w limit.Rate, now time.Duration) (n int64) {
	for i := len(u.Done) - 1; i >= 0 && u.Done[i].At+w.Per > now; i-- {
		n += u.Done[i].Of(w.Unit)
	}
	return n
}

// free is how long until so many units have left the window; a short while if
// somebody still has to report them.
func (u *usage) free(w limit.Rate, now time.Duration, units int64) time.Duration {
	for _, d := range u.Done {
		if d.At+w.Per <= now {
			continue
		}
		if units -= d.Of(w.Unit); units <= 0 {
			return d.At + w.Per - now
		}
	}
	return min(max(w.Per/50, 2*time.Millisecond), 100*time.Millisecond)
}

// everything fills all windows.
func everything(rates []limit.Rate) (use limit.Use) {
	for _, r := range rates {
		switch n := int64(r.Count); r.Unit {
		case limit.Recipients:
			use.Recipients = max(use.Recipients, n)
		case limit.Octets:
			use.Octets = max(use.Octets, n)
		default:
			use.Messages = max(use.Messages, n)
		}
	}
	return use
}

// less is u without v, and not below nothing: what was granted under other
// windows may count less.
func less(u, v limit.Use) limit.Use {
	w := u.Minus(v)
	return limit.Use{Messages: max(w.Messages, 0), Recipients: max(w.Recipients, 0), Octets: max(w.Octets, 0)}
}
