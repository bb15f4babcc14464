package sqlite

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// aside is how many expired jobs one claim puts aside at most, so that a great many
// of them do not keep everybody waiting; the next claim goes on.
const aside = 1000

// Claim hands jobs out; see [queue.Store].
func (s *Store) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	var takings []*taking
	err := s.write(ctx, claiming, 0, func(t *tx) (err error) {
		takings, err = t.claim(now, wants)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.handOut(now, takings)
}

// taking is what a Want got, before anything of it is decoded.
type taking struct {
	want *queue.Want
	got  queue.Claimed
	rows []*row
	// tokens and begun are those of the rows.
	tokens []queue.Token
	begun  []bool
}

func (t *tx) claim(now time.Time, wants []queue.Want) ([]*taking, error) {
	takings := make([]*taking, len(wants))
	for i := range wants {
		takings[i] = &taking{want: &wants[i], got: queue.Claimed{Lane: wants[i].Lane}}
		if err := t.claimLane(now, takings[i]); err != nil {
			return nil, err
		}
	}
	return takings, nil
}

func (t *tx) claimLane(now time.Time, k *taking) error {
	lane, err := t.s.laneID(t.conn, k.want.Lane)
	if err != nil || lane == 0 {
		return err
	}
	paused, _, err := t.number("SELECT paused FROM lane WHERE id=?", lane)
	if err != nil {
		return err
	}
	k.got.Paused = paused != 0
	heads, err := t.heads(lane, k.want.Count+k.want.Urgent+1)
	if err != nil {
		return err
	}
	for !k.got.Paused && len(k.got.Expired) < aside {
		p, ok := queue.Pick(heads.due(), now, k.want.Turn+uint64(len(k.rows)))
		if !ok || len(k.rows) >= k.want.Count && (p != queue.Urgent || len(k.rows) >= k.want.Count+k.want.Urgent) {
			break
		}
		first := heads.queues[p.Rank()][0]
		if err := t.take(now, lane, p.Rank(), first, k); err != nil {
			return err
		}
		if err := heads.shift(t.conn, p.Rank()); err != nil {
			return err
		}
	}
	k.got.Next, k.got.Urgent = heads.next(), heads.due()[queue.Urgent.Rank()]
	return nil
}

// heads are the first jobs of each rank of a lane.
type heads struct {
	lane   int64
	most   int // to read at once
	queues [queue.Ranks][]head
}

type head struct{ due, id int64 }

func (c *conn) heads(lane int64, most int) (*heads, error) {
	h := &heads{lane: lane, most: most}
	for rank := range h.queues {
		if err := h.fill(c, rank, head{math.MinInt64, 0}, 1); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *heads) fill(c *conn, rank int, after head, most int) error {
	return c.query(func(st *sqlite3.Stmt) bool {
		h.queues[rank] = append(h.queues[rank], head{st.ColumnInt64(0), st.ColumnInt64(1)})
		return true
	}, "SELECT due, id FROM ready WHERE lane=? AND rank=? AND (due, id) > (?, ?) ORDER BY due, id LIMIT ?", h.lane, rank, after.due, after.id, most)
}

// shift goes on to the next job of a rank.
func (h *heads) shift(c *conn, rank int) error {
	last := h.queues[rank][0]
	h.queues[rank] = h.queues[rank][1:]
	if len(h.queues[rank]) > 0 {
		return nil
	}
	return h.fill(c, rank, last, h.most)
}

func (h *heads) due() (due [queue.Ranks]time.Time) {
	for rank, q := range h.queues {
		if len(q) > 0 {
			due[rank] = time.UnixMilli(q[0].due).UTC()
		}
	}
	return due
}

func (h *heads) next() (next time.Time) {
	for _, due := range h.due() {
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// take makes the job in front of a rank Active, or Expired.
func (t *tx) take(now time.Time, lane int64, rank int, first head, k *taking) error {
	r, err := t.find(first.id)
	if err != nil {
		return err
	}
	if r != nil && r.expires != 0 && now.UnixMilli() >= r.expires {
		job, err := t.expire(now, queue.ID(r.id))
		if err == nil {
			k.got.Expired = append(k.got.Expired, job)
		}
		return err
	}
	if err := t.run("DELETE FROM ready WHERE lane=? AND rank=? AND due=? AND id=?", lane, rank, first.due, first.id); err != nil || r == nil {
		return err
	}
	begun := k.want.Begin && r.policy == queue.Retry
	token := queue.Token{ID: queue.ID(r.id), Nonce: 1 + rand.Uint64N(math.MaxUint64)}
	if err := t.run("INSERT INTO active VALUES(?, ?, ?, ?, ?)", r.id, lane, int64(token.Nonce), begun, r.expires); err != nil {
		return err
	}
	t.count(lane, 'q', 'a')
	k.rows, k.tokens, k.begun = append(k.rows, r), append(k.tokens, token), append(k.begun, begun)
	t.op.tokens = append(t.op.tokens, token)
	return nil
}

// expire ends a job whose time is over.
func (t *tx) expire(now time.Time, id queue.ID) (queue.Job, error) {
	st, err := t.load(id)
	if err != nil {
		return queue.Job{}, err
	}
	e := st.job.Expire(now)
	return st.job, t.change(st, e)
}

// handOut decodes what was claimed and reads the bodies. It does so whatever
// becomes of the caller's context: the jobs are Active by now.
func (s *Store) handOut(now time.Time, takings []*taking) ([]queue.Claimed, error) {
	claimed := make([]queue.Claimed, len(takings))
	var failed error
	for i, k := range takings {
		if len(k.rows) > 0 && failed == nil {
			failed = s.unpack(now, k)
		}
		claimed[i] = k.got
	}
	if failed == nil {
		return claimed, nil
	}
	return nil, errors.Join(failed, s.takeBack(takings))
}

// unpack makes claims of rows, and puts aside what is damaged.
func (s *Store) unpack(now time.Time, k *taking) error {
	damaged := map[queue.Token]error{}
	err := s.readOver(context.Background(), &s.quick, func(c *conn) error {
		for i, r := range k.rows {
			claim := queue.Claim{Token: k.tokens[i], Begun: k.begun[i]}
			var wrong error
			claim.Job, wrong = r.decode(k.want.Lane)
			claim.Job.State = queue.Active
			if wrong == nil {
				wrong = s.attach(c, r, &claim)
			}
			if wrong == nil {
				k.got.Claims = append(k.got.Claims, claim)
				continue
			}
			if c.failed != nil {
				return wrong
			}
			damaged[claim.Token] = wrong
		}
		return nil
	})
	if err != nil || len(damaged) == 0 {
		return err
	}
	return s.write(context.Background(), nothing, 0, func(t *tx) error {
		k.got.Damaged = nil
		for _, token := range k.tokens {
			if why := damaged[token]; why != nil {
				if err := t.damage(now, token, why, k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *Store) attach(c *conn, r *row, claim *queue.Claim) error {
	content, err := s.content(c, r.body)
	switch {
	case err != nil:
		return err
	case content == nil:
		return &damage{errMissing}
	}
	claim.Body = *content
	return nil
}

func (t *tx) damage(now time.Time, token queue.Token, why error, k *taking) error {
	st, err := t.load(token.ID)
	if err != nil || st == nil || !st.holds(token) {
		return err
	}
	e := st.job.Damage(now, why.Error())
	if err := t.change(st, e); err != nil {
		return err
	}
	k.got.Damaged = append(k.got.Damaged, st.job)
	return nil
}

// takeBack queues jobs whose claim cannot be handed out. If that fails too, the
// writer does it when it can write again.
func (s *Store) takeBack(takings []*taking) error {
	var tokens []queue.Token
	for _, k := range takings {
		tokens = append(tokens, k.tokens...)
	}
	return s.write(context.Background(), nothing, 0, func(t *tx) error {
		t.op.tokens = tokens
		return t.disown(tokens)
	})
}
