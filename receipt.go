package kaizen

import (
	"cmp"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Receipt is everything a send learned.
type Receipt struct {
	// Account is who sent it. Of several, see Parts, it is the first that was accepted,
	// else the last that was tried.
	Account   string `json:"account"`
	MessageID string `json:"message_id,omitempty"` // as the message has it
	// Outcome is Accepted if some recipient was accepted, else the first one's.
	Outcome Outcome `json:"outcome"`
	// Recipients are those of the envelope, in its order.
	Recipients []RecipientResult `json:"recipients"`
	// Transactions are the server's verdicts in order; more than one if the
	// server takes fewer recipients at a time.
	Transactions []*smtp.Result `json:"transactions,omitempty"`
	// Parts are what each account did, in order, where there may have been several:
	// of a chain, or chosen by Config.Router. Recipients have the last word about each.
	Parts []ReceiptPart `json:"parts,omitempty"`

	Waited Waited        `json:"waited"` // in line, over all transactions
	Took   time.Duration `json:"took"`   // from Send to the last verdict

	first [1]*smtp.Result // room for the usual one
}

// ReceiptPart is what one account did with a message.
type ReceiptPart struct {
	Account string   `json:"account"`
	Rules   []string `json:"rules,omitempty"` // that chose it, if Config.Router did
	// Recipients are those whom it was tried for.
	Recipients   []RecipientResult `json:"recipients"`
	Transactions []*smtp.Result    `json:"transactions,omitempty"`
	Err          *Error            `json:"error,omitempty"` // nil if all were accepted
}

func (p *ReceiptPart) accepted() bool {
	return slices.ContainsFunc(p.Recipients, func(r RecipientResult) bool { return r.Outcome == smtp.Accepted })
}

// add puts what one account did into the receipt of all.
func (r *Receipt) add(one *Receipt, rules []string, err *Error) {
	r.Parts = append(r.Parts, ReceiptPart{one.Account, rules, one.Recipients, one.Transactions, err})
	r.Transactions = append(r.Transactions, one.Transactions...)
	r.Waited.Total += one.Waited.Total
	r.Waited.ForRate += one.Waited.ForRate
	r.Waited.Rate = cmp.Or(one.Waited.Rate, r.Waited.Rate)
}

// Waited tells how long a message stood in line, and for what.
type Waited struct {
	Total   time.Duration `json:"total"`
	ForRate time.Duration `json:"for_rate"`       // the part of it that a limit, not a missing connection, took
	Rate    string        `json:"rate,omitempty"` // the limit it waited for last, "10 per second"
}

func (w *Waited) add(more pool.Waited) {
	w.Total += more.Total
	w.ForRate += more.Rate
	if more.Rate > 0 {
		w.Rate = more.Limit.String()
	}
}

// QueueID is what the server calls the message, if it told: of the first
// transaction that was accepted.
func (r *Receipt) QueueID() string {
	for _, t := range r.Transactions {
		if t.Outcome == smtp.Accepted {
			return t.QueueID
		}
	}
	return ""
}

// RoundTrips is how many round trips the message cost.
func (r *Receipt) RoundTrips() (n int) {
	for _, t := range r.Transactions {
		n += t.RoundTrips
	}
	return n
}

func (r *Receipt) notAccepted() (failed []RecipientResult) {
	for _, to := range r.Recipients {
		if to.Outcome != smtp.Accepted {
			failed = append(failed, to)
		}
	}
	return failed
}

// conclude derives the outcome from the recipients'.
func (r *Receipt) conclude() {
	for i, to := range r.Recipients {
		if i == 0 || to.Outcome == smtp.Accepted {
			r.Outcome = to.Outcome
		}
	}
}
