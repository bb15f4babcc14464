package kaizen

import (
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Why says in one sentence what a job, or a whole account, waits for.
type Why struct {
	Code     WhyCode `json:"code"`
	Sentence string  `json:"sentence"` // without a full stop
	// Since is when that began, where it is known.
	Since time.Time `json:"since,omitzero"`
	// Next is when it will go, or be tried, at the earliest; zero: nobody can tell,
	// or it has ended.
	Next time.Time `json:"next,omitzero"`
	// Ahead is how many jobs go before it.
	Ahead int `json:"ahead,omitempty"`
	// Advice is what a person can do about it, in commands of the program; empty if
	// there is nothing to do.
	Advice string `json:"advice,omitempty"`
}

// WhyCode is the reason for programs.
type WhyCode string

// The reasons, the strongest first: the first that holds is told.
const (
	WhyFinished    WhyCode = "finished"    // it does not wait any more
	WhyHeld        WhyCode = "held"        // until somebody releases it
	WhySending     WhyCode = "sending"     // it is on its way
	WhyAbandoned   WhyCode = "abandoned"   // whoever was sending it has ended
	WhyPaused      WhyCode = "paused"      // somebody paused the account
	WhyNoAccount   WhyCode = "no-account"  // there is no such account any more
	WhyUnusable    WhyCode = "unusable"    // its settings are wrong, or its password cannot be read
	WhyStopped     WhyCode = "stopped"     // the account's login was refused
	WhyNoDelivery  WhyCode = "no-delivery" // no process delivers from the queue
	WhyNotBefore   WhyCode = "not-before"  // it is not to be sent yet
	WhyRetry       WhyCode = "retry"       // it failed for now, and is tried again
	WhyDown        WhyCode = "down"        // the server cannot be reached
	WhyQuota       WhyCode = "quota"       // the account's allowance is used up
	WhyRate        WhyCode = "rate"        // a limit of the account is reached
	WhyConnections WhyCode = "connections" // all connections are busy
	WhyInLine      WhyCode = "in-line"     // others go first
	WhyNothing     WhyCode = "nothing"     // of an account: no job waits
)

// Situation is what one must know to tell why something waits. It is the same for
// the process that delivers and for any other that reads the same queue and the
// same state directory, and so are the answers.
type Situation struct {
	Now      time.Time // also says the time zone of what is told
	Stats    queue.Stats
	Accounts []Status // see [ReadStatus]
	// Known reports whether there is an account of that name. Default: there is.
	Known func(account string) bool
	// Unusable tells why an account that is there cannot be used: its settings are
	// wrong, or its password cannot be had. Default: it can.
	Unusable func(account string) error
}

// Job tells what a job waits for. d is the store's answer of about the same time as
// the rest.
func (s *Situation) Job(d *queue.Details) Why {
	if w, ok := s.ended(d); ok {
		return w
	}
	if w, ok := s.onItsWay(d); ok {
		return w
	}
	if w, ok := s.nobodySends(d.Lane, "'kaizen queue move --to-account OTHER "+d.ID.String()+"' gives it to another account"); ok {
		return w
	}
	lane := d.Lane
	if account := onlyOf(d); account != "" {
		if w, ok := s.doubtStands(d, account); ok {
			return w
		}
		lane = account
	}
	if w, ok := s.early(d); ok {
		return w
	}
	return s.line(lane, d.Ahead, d.State == queue.Active)
}

// Account tells what the jobs of an account wait for.
func (s *Situation) Account(name string) Why {
	lane := s.lane(name)
	waiting := lane.Count[queue.Queued] + lane.Count[queue.Active]
	if waiting == 0 && lane.Paused.IsZero() {
		return nothingWaits(name, lane.Count[queue.Held])
	}
	if w, ok := s.nobodySends(name, "'kaizen queue move --account "+typed(name)+" --to-account OTHER' gives them to another account"); ok {
		return w
	}
	if lane.Count[queue.Active] == 0 && lane.Oldest.IsZero() && lane.Next.After(s.Now) {
		return s.noneIsDue(&lane)
	}
	return s.backlog(name, waiting)
}

func (s *Situation) lane(name string) queue.Lane {
	i := slices.IndexFunc(s.Stats.Lanes, func(l queue.Lane) bool { return l.Name == name })
	if i < 0 {
		return queue.Lane{Name: name}
	}
	return s.Stats.Lanes[i]
}

func (s *Situation) status(name string) *Status {
	i := slices.IndexFunc(s.Accounts, func(a Status) bool { return a.Account == name })
	if i < 0 {
		return &Status{Account: name}
	}
	return &s.Accounts[i]
}

// nobodySends is why nothing at all goes out with an account: what a person has
// to help with. move says how jobs get to another account.
func (s *Situation) nobodySends(account, move string) (Why, bool) {
	if chain := members(account); chain != nil {
		return s.chainStands(account, chain, move)
	}
	if w, ok := s.accountStands(account, move); ok {
		return w, true
	}
	return s.undelivered()
}

// accountStands is why an account sends nothing until somebody helps.
func (s *Situation) accountStands(account, move string) (Why, bool) {
	if lane := s.lane(account); !lane.Paused.IsZero() {
		return s.paused(&lane), true
	}
	if s.Known != nil && !s.Known(account) {
		return Why{Code: WhyNoAccount, Sentence: "there is no account " + account,
			Advice: "'kaizen account add --name " + account + "' makes it; or " + move}, true
	}
	if w, ok := s.unusable(account); ok {
		return w, true
	}
	if h := &s.status(account).Health; h.Stopped() {
		return s.stopped(account, h), true
	}
	return Why{}, false
}

func (s *Situation) undelivered() (Why, bool) {
	if !s.Stats.Delivering {
		return Why{Code: WhyNoDelivery, Sentence: "nobody delivers from this queue", Advice: "run 'kaizen queue run'"}, true
	}
	return Why{}, false
}

func (s *Situation) paused(lane *queue.Lane) Why {
	return Why{Code: WhyPaused, Since: lane.Paused, Advice: "'kaizen queue resume " + typed(lane.Name) + "' lets it go on",
		Sentence: "account " + lane.Name + " is paused since " + s.clock(lane.Paused) + because(lane.Reason)}
}

func (s *Situation) unusable(account string) (Why, bool) {
	because := because(oneLine(s.status(account).Unusable))
	if s.Unusable != nil {
		if err := s.Unusable(account); err != nil {
			because = ": " + oneLine(err.Error())
		}
	}
	if because == "" {
		return Why{}, false
	}
	return Why{Code: WhyUnusable, Sentence: "account " + account + " cannot be used" + because,
		Advice: "'kaizen account show " + account + "' shows its settings, 'kaizen account test " + account + "' tries it"}, true
}

func (s *Situation) stopped(account string, h *Health) Why {
	w := Why{Code: WhyStopped, Since: h.Since,
		Sentence: "account " + account + " has stopped" + since(s.clock(h.Since)) + because(orElse(h.Reason, "the login was refused")),
		Advice:   "'kaizen account password " + account + "' changes the password ('kaizen account login " + account + "' where there is none but OAuth 2); if it was right, 'kaizen account test " + account + "' lets it be used again"}
	if strings.HasPrefix(h.Server, "sendmail:") {
		w.Advice = "mend the configuration of the command itself; then 'kaizen account resume " + account + "' lets it be used again"
	}
	return w
}

// noneIsDue is for an account all of whose jobs wait for their time.
func (s *Situation) noneIsDue(lane *queue.Lane) Why {
	n := lane.Count[queue.Queued]
	text := "the next of " + jobs(n) + " is due " + s.until(lane.Next)
	if n == 1 {
		text = "its only job is due " + s.until(lane.Next)
	}
	return Why{Code: WhyNotBefore, Sentence: text, Next: lane.Next}
}

func nothingWaits(account string, held int) Why {
	w := Why{Code: WhyNothing, Sentence: "nothing waits in account " + account}
	if held > 0 {
		w.Sentence = jobs(held) + " of account " + account + " " + isAre(held) + " held, and nothing else waits"
		w.Code, w.Advice = WhyHeld, "'kaizen queue list --account "+typed(account)+" --state held' shows them, 'kaizen queue release' lets them go"
	}
	return w
}
