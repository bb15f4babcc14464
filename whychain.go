package kaizen

import (
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	routing "github.com/kaizenmail/kaizen/route"
)

// members are the accounts of a lane, if it is a chain.
func members(lane string) routing.Chain {
	if !routing.IsChain(lane) {
		return nil
	}
	chain, err := routing.ParseChain(lane)
	if err != nil {
		return nil
	}
	return chain
}

// typed is the name of an account or chain as a shell reads it.
func typed(name string) string {
	if routing.IsChain(name) {
		return `"` + name + `"`
	}
	return name
}

// chainStands is why none of the accounts of a chain can send until somebody helps.
// move says how jobs get to another account.
func (s *Situation) chainStands(lane string, chain routing.Chain, move string) (Why, bool) {
	if l := s.lane(lane); !l.Paused.IsZero() {
		return s.paused(&l), true
	}
	whole := Why{Code: WhyStopped, Advice: move}
	var reasons []string
	for i, name := range chain {
		w, ok := s.accountStands(name, "")
		if !ok {
			return s.undelivered()
		}
		if reasons = append(reasons, w.Sentence); i == 0 {
			whole.Code, whole.Since = w.Code, w.Since
			whole.Advice = strings.TrimSuffix(w.Advice, "; or ") + "; or " + move
		}
	}
	whole.Sentence = "none of " + lane + " can send: " + strings.Join(reasons, "; ")
	return whole, true
}

// onlyOf is the account of a chain that alone may send a job, as it may have done so
// already; empty if any may.
func onlyOf(d *queue.Details) string {
	chain := members(d.Lane)
	if account := mayHaveSent(d).account; openInDoubt(&d.Job) && slices.Contains(chain, account) {
		return account
	}
	return ""
}

// doubtStands is why a job cannot go that is for one account of its chain alone.
func (s *Situation) doubtStands(d *queue.Details, account string) (Why, bool) {
	other := "'kaizen queue move --to-account OTHER " + d.ID.String() + "' has another account send it, which may be for the second time"
	w, ok := s.accountStands(account, other)
	if !ok {
		if w, ok = s.blocked(account, 0); !ok {
			return Why{}, false
		}
	}
	w.Sentence = onlyThrough(account) + ": " + w.Sentence
	if !strings.Contains(w.Advice, other) {
		w.Advice = strings.TrimPrefix(w.Advice+"; or "+other, "; or ")
	}
	return w, true
}

// via is the account of a chain that its jobs go through now, and why it is not one
// that comes before, as the beginning of a sentence. If none can send before, it is
// the one that will be asked first.
func (s *Situation) via(chain routing.Chain) (account, before string) {
	var reasons []string
	soonest, found := "", time.Time{}
	for _, name := range chain {
		w, ok := s.accountStands(name, "")
		if !ok {
			if w, ok = s.blocked(name, 0); !ok {
				return name, passedOver(reasons)
			}
			if soonest == "" || !w.Next.IsZero() && (found.IsZero() || w.Next.Before(found)) {
				soonest, found = name, w.Next
			}
		}
		reasons = append(reasons, w.Sentence)
	}
	if soonest == "" {
		soonest = chain[0]
	}
	return soonest, passedOver(s.others(chain, soonest))
}

// others is what is wrong with the accounts of a chain but one.
func (s *Situation) others(chain routing.Chain, but string) (reasons []string) {
	for _, name := range chain {
		if name == but {
			continue
		}
		w, ok := s.accountStands(name, "")
		if !ok {
			w, _ = s.blocked(name, 0)
		}
		reasons = append(reasons, w.Sentence)
	}
	return reasons
}

func passedOver(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return strings.Join(reasons, "; ") + "; "
}
