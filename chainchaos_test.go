package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// trio is an office with three accounts that fail in all ways, each by itself.
type trio struct {
	*office
	dice    *rand.Rand
	names   [3]string
	servers [3]*smtptest.Server
	cut     [3]atomic.Bool
}

var disasters = []smtptest.Fault{
	{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Prob: 0.05},
	{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Prob: 0.05},
	{Phase: smtptest.PhaseFinal, Action: smtptest.Answer, Prob: 0.05, Reply: smtptest.Reply{Code: 451, Text: "4.3.0 Later"}},
	{Phase: smtptest.PhaseMAIL, Action: smtptest.Close421, Prob: 0.03},
	{Phase: smtptest.PhaseRCPT, Action: smtptest.Answer, Prob: 0.05, Reply: smtptest.Reply{Code: 450, Text: "4.2.1 Later"}},
	{Phase: smtptest.PhaseRCPT, Action: smtptest.Answer, Prob: 0.02, Reply: smtptest.Reply{Code: 550, Text: "5.4.5 Daily user sending quota exceeded"}},
	{Phase: smtptest.PhaseDATA, Action: smtptest.Drop, Prob: 0.05},
	{Phase: smtptest.PhaseGreeting, Action: smtptest.Drop, Prob: 0.1},
}

func newTrio(t *testing.T, seed uint64) *trio {
	x := &trio{office: open(t, memory.New(), nil), dice: rand.New(rand.NewPCG(seed, 1)), names: [3]string{"one", "two", "three"}}
	for i, name := range x.names {
		config := smtptest.Config{Network: smtptest.Memory, Seed: seed + uint64(i), Latency: time.Duration(1+i) * time.Millisecond, Faults: disasters, LMTP: i == 2}
		config.Limits.RecipientsPerMessage = []int{2, 0, 0}[i]
		s := smtptest.NewServer(config)
		x.servers[i] = s
		a := account(s)
		a.LMTP = i == 2
		a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if x.cut[i].Load() {
				return nil, errors.New("connection refused")
			}
			return s.DialContext(ctx, network, address)
		}
		x.accounts.set(name, a)
	}
	return x
}

var chaosLanes = []string{"one>two>three", "three>one", "two>three>one", "one>none>two", "two"}

func (x *trio) submit(n int) (ids []queue.ID) {
	for range n {
		j := letter(chaosLanes[x.dice.IntN(len(chaosLanes))], fmt.Sprint("c", x.dice.Uint64()), people(1+x.dice.IntN(4))...)
		j.Backoff = []time.Duration{5 * time.Second, time.Minute}
		j.Unknown = queue.Policy(x.dice.IntN(3))
		j.Options.AllOrNothing = x.dice.IntN(5) == 0
		j.Priority = queue.Priority(x.dice.IntN(queue.Ranks))
		if x.dice.IntN(10) == 0 {
			j.Expires = time.Now().Add(time.Duration(x.dice.IntN(600)) * time.Second)
		}
		ids = append(ids, x.put(j)...)
	}
	return ids
}

// disturb does something to some jobs, accounts or servers.
func (x *trio) disturb(ids []queue.ID) {
	id := []queue.ID{ids[x.dice.IntN(len(ids))]}
	i := x.dice.IntN(3)
	ctx := context.Background()
	switch x.dice.IntN(10) {
	case 0, 1:
		x.cut[i].Store(true)
		x.servers[i].CloseConnections(smtptest.Closing(x.dice.IntN(3)))
	case 2, 3:
		x.cut[i].Store(false)
	case 4:
		x.control(queue.Command{Action: queue.DoCancel, IDs: id})
	case 5:
		x.control(queue.Command{Action: queue.DoHold, IDs: id})
		x.control(queue.Command{Action: queue.DoRelease, IDs: id})
	case 6:
		x.control(queue.Command{Action: queue.DoRetry, IDs: id})
	case 7:
		_ = x.store.Pause(ctx, time.Now(), x.names[i], "")
	case 8:
		_ = x.store.Resume(ctx, time.Now(), x.names[i])
	case 9:
		x.end()
		<-x.ended
		_ = x.client.Close()
		x.reopen()
		x.run()
	}
}

func (x *trio) settleDown() {
	for i, name := range x.names {
		x.cut[i].Store(false)
		_ = x.store.Resume(context.Background(), time.Now(), name)
	}
	pass(4 * time.Hour)
}

// arrivals are how often a recipient got a message, by account.
func (x *trio) arrivals(id, to string) (n [3]int) {
	for i, s := range x.servers {
		for _, r := range s.Accepted()["<"+id+">"].Recipients {
			if r == to {
				n[i]++
			}
		}
	}
	return n
}

// mayHave counts the tries by which a recipient got a message, or may have, by
// account.
func mayHave(d *queue.Details, to string, names [3]string) (sent, unknown [3]int) {
	for _, e := range d.History {
		if e.Attempt == nil {
			continue
		}
		i := max(slices.Index(names[:], e.Attempt.Account), 0)
		if e.Attempt.Account == "" {
			i = slices.Index(names[:], d.Lane)
		}
		outcome, all := e.Attempt.Outcome, e.Attempt.Recipients
		if at := slices.IndexFunc(all, func(r smtp.RecipientResult) bool { return r.Address == to }); at >= 0 {
			outcome = all[at].Outcome
		} else if len(all) > 0 {
			continue
		}
		switch outcome {
		case smtp.Accepted:
			sent[i]++
		case smtp.Unknown:
			unknown[i]++
		}
	}
	return sent, unknown
}

func (x *trio) judge(id queue.ID) {
	d := x.job(id)
	wrong := x.wrong(&d)
	if len(wrong) == 0 || slices.ContainsFunc(d.History, func(e queue.Entry) bool { return e.Kind == queue.WasSentAgain }) {
		return // somebody has had it sent once more
	}
	x.Errorf("job %s: %s\n%+v", id, strings.Join(wrong, "; "), d.Job)
	for _, e := range d.History {
		x.Logf("%s %s %s %s %+v", e.At.Format(time.TimeOnly), e.Kind, e.State, e.Detail, e.Attempt)
	}
}

// wrong is what must not have become of a job.
func (x *trio) wrong(d *queue.Details) (complaints []string) {
	complain := func(format string, a ...any) { complaints = append(complaints, fmt.Sprintf(format, a...)) }
	in := ""
	for _, e := range d.History {
		a := e.Attempt
		if a == nil {
			continue
		}
		if in != "" && a.Account != in && d.Unknown != queue.Never {
			complain("%q may have sent it, and %q was given it", in, a.Account)
		}
		if a.Outcome == smtp.Unknown || slices.ContainsFunc(a.Recipients, func(r smtp.RecipientResult) bool { return r.Outcome == smtp.Unknown }) {
			in = a.Account
		}
	}
	if !d.State.Finished() && !(d.State == queue.Held && d.Doubt && d.Unknown == queue.Hold) {
		complain("it is %s in the end", d.State)
	}
	for i := range d.Recipients {
		r := &d.Recipients[i]
		sent, unknown := mayHave(d, r.Address, x.names)
		got := x.arrivals(d.MessageID, r.Address)
		all := 0
		for k, n := range got {
			all += n
			if n > sent[k]+unknown[k] {
				complain("%s: arrived %v, accepted %v, unknown %v", r.Address, got, sent, unknown)
			}
		}
		if r.State == queue.Sent && all == 0 || all > 1 && d.Unknown != queue.Retry && !released(d) {
			complain("%s is %s, arrived %v", r.Address, r.State, got)
		}
	}
	return complaints
}

// released: somebody has said that it may be sent again.
func released(d *queue.Details) bool {
	return slices.ContainsFunc(d.History, func(e queue.Entry) bool { return e.Kind == queue.DidRelease || e.Kind == queue.DidRetry })
}

// Three accounts that fail, in chains of all orders, with people who hold, cancel,
// pause and restart: nothing is given to a second account that a first one may have
// sent, and everything comes to its end.
func TestChainChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newTrio(t, seed)
				defer func() {
					for _, s := range x.servers {
						s.Close()
					}
				}()
				x.run()
				var ids []queue.ID
				for range 60 {
					ids = append(ids, x.submit(5)...)
					x.disturb(ids)
					pass(time.Duration(x.dice.IntN(4000)) * time.Millisecond)
				}
				x.settleDown()
				for _, id := range ids {
					x.judge(id)
				}
				x.close()
			})
		})
	}
}
