package kaizen

import (
	"context"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// QueuedPart is a message, or the part of it that goes through one account, in the
// queue.
type QueuedPart struct {
	queue.Receipt
	Account    string      `json:"account"` // a name, or a chain
	Recipients []Recipient `json:"recipients"`
	Rules      []string    `json:"rules,omitempty"` // that chose the account, if Config.Router did
}

// EnqueueAll is [Client.Enqueue] for a message that Config.Router may send in
// several parts: each becomes a job for its account, all with the same Message-ID.
// Either all are put or none. A content that can be read only once cannot go in
// several parts, nor can what is AllOrNothing.
func (c *Client) EnqueueAll(ctx context.Context, account string, m Message, o EnqueueOptions) ([]QueuedPart, error) {
	return c.enqueue(ctx, account, m, o, false)
}

func (c *Client) enqueue(ctx context.Context, account string, m Message, o EnqueueOptions, one bool) ([]QueuedPart, error) {
	if c.config.Queue == nil {
		return nil, &Error{Account: account, Phase: smtp.PhaseWaiting, Class: ErrState, Err: errNoQueue, Hint: "set Config.Queue"}
	}
	p, err := Prepare(m)
	if err != nil {
		return nil, named(err, &Account{Name: account})
	}
	defer p.Content.Close()
	tags := bothTags(p.Tags, o.Tags)
	parts, err := c.parts(account, p, tags, o.Key)
	if err == nil && one {
		err = single(parts)
	}
	if err == nil {
		err = divisible(p, parts)
	}
	if err != nil {
		return nil, err
	}
	whole := *p
	whole.Tags = tags
	return c.putParts(ctx, &whole, parts, o)
}

// single tells that there is more than one part.
func single(parts []routing.Part) error {
	if len(parts) == 1 {
		return nil
	}
	return &Error{Phase: smtp.PhaseWaiting, Class: ErrContent, Err: fmt.Errorf("%s: more than one job", partsInWords(parts)),
		Hint: "EnqueueAll queues all parts of a message"}
}

// putParts puts a job for each part.
func (c *Client) putParts(ctx context.Context, whole *Prepared, parts []routing.Part, o EnqueueOptions) ([]QueuedPart, error) {
	now := time.Now()
	sum, err := wholePrint(whole, parts, o.Key)
	if err != nil {
		return nil, queueError(parts[0].Account, err)
	}
	jobs := make([]queue.Submission, len(parts))
	for i, part := range parts {
		p := *whole
		p.Envelope.To = pick(whole.Envelope.To, part.Recipients)
		s, done, err := c.submission(ctx, part.Account, &p, o)
		if err != nil {
			return nil, queueError(part.Account, err)
		}
		defer done() // when all are put
		s.Print = append(s.Print, sum...)
		if jobs[i] = s; c.config.OnJob != nil {
			defer c.announcements.begin(part.Account, now)()
		}
	}
	receipts, err := c.config.Queue.Put(ctx, now, jobs)
	if err != nil {
		return nil, queueError(parts[0].Account, err)
	}
	queued := make([]QueuedPart, len(parts))
	for i, r := range receipts {
		queued[i] = QueuedPart{Receipt: r, Account: parts[i].Account, Recipients: pick(whole.Envelope.To, parts[i].Recipients), Rules: parts[i].Rules}
		if !r.Existing {
			c.queued(&jobs[i].Job, r)
		}
	}
	return queued, nil
}

// wholePrint is what is added to the fingerprints of several parts, so that another
// message of the same key is found out also where one of its parts is the same.
func wholePrint(whole *Prepared, parts []routing.Part, key string) ([]byte, error) {
	if key == "" || len(parts) < 2 {
		return nil, nil
	}
	return fingerprint(whole)
}
