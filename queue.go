package kaizen

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// Retry says how long and how often messages of an account are tried that were
// queued. Zero values are the defaults.
type Retry struct {
	// Backoff are the pauses between two tries, give or take 10 %; the last one
	// repeats. A server that says when to come back is heeded. Default: 30 s, 1, 2, 5,
	// 10, 20, 40 min, then every hour.
	Backoff []time.Duration
	// Expire is how long a message is tried. Default 2 days; negative: forever.
	Expire time.Duration
}

// defaultExpire is Retry.Expire, unless somebody says otherwise.
const defaultExpire = 48 * time.Hour

// EnqueueOptions say how a queued message is treated. Priority and the like are
// those of a [Prepared]. The zero value is usable.
type EnqueueOptions struct {
	// NotBefore is when the message may be sent at the earliest; default: now.
	NotBefore time.Time
	// Expire is how long it is tried from NotBefore on; default: as the account says,
	// else 2 days; negative: forever.
	Expire time.Duration
	// Key makes Enqueue idempotent within the account: with the key of an earlier
	// message nothing is queued, and the receipt is that of the earlier one. If sender,
	// recipients or content differ it is a [*queue.ConflictError]; Date and
	// Message-ID may, as they do when a message is composed again. Where Config.Router
	// chooses among accounts, the key chooses, so that it is always the same one.
	Key string
	// Tags are words to find it by, and for Config.Router, beside those of a
	// [Prepared].
	Tags []string
	// Unknown says what to do when the server may have taken the message and nobody
	// knows. Default: it is sent again, with the same Message-ID.
	Unknown queue.Policy
	// Durability says what the message survives once Enqueue has returned. Default:
	// the end of the process, and a lost power supply, if the store has a disk.
	Durability queue.Durability
	// Backoff are the pauses between tries; default: as the account says.
	Backoff []time.Duration
	// Report sends a delivery status notification (RFC 3464) to the sender, through
	// the same account, if the message fails or expires for some recipient.
	Report bool
}

var errNoQueue = errors.New("the client has no queue")

// Enqueue puts a message into Config.Queue and returns when it is stored, as
// durably as the receipt says. [Client.Run], of this client or of another process
// with the same store, sends it later through the account, which is resolved then:
// it need only have a name. The context bounds the storing alone; when it ends the
// message may have been queued, or not.
//
// The account may be a chain, see [Client.Send]: the job is tried through the first
// that can send at that moment. If it is "", Config.Router chooses now; a message
// that its rules send in several parts is refused, see [Client.EnqueueAll].
//
// A message that can go nowhere is refused as by [Client.Send].
func (c *Client) Enqueue(ctx context.Context, account string, m Message, o EnqueueOptions) (queue.Receipt, error) {
	queued, err := c.enqueue(ctx, account, m, o, true)
	if err != nil {
		return queue.Receipt{}, err
	}
	return queued[0].Receipt, nil
}

// queued has a job looked at that was put.
func (c *Client) queued(j *queue.Job, r queue.Receipt) {
	if c.config.OnJob != nil {
		told := *j
		told.ID, told.State, told.Durability = r.ID, queue.Queued, r.Durability
		c.config.OnJob(JobEvent{Kind: JobQueued, Job: told})
	}
	c.deliveries.kick(j.Lane, j.Priority == queue.Urgent)
}

// submission makes a job of a message. done is to be called when it was put.
func (c *Client) submission(ctx context.Context, account string, p *Prepared, o EnqueueOptions) (s queue.Submission, done func(), err error) {
	retry := c.retry(ctx, account)
	now := time.Now()
	s.Job = queue.Job{Lane: account, Envelope: p.Envelope, Recipients: queue.To(p.Envelope.To),
		Priority: p.Priority, Unknown: o.Unknown, Durability: o.Durability, Key: o.Key, Tags: p.Tags, Due: o.NotBefore,
		Backoff: o.Backoff, Report: o.Report,
		Options: queue.Options{AllOrNothing: p.AllOrNothing, Chunking: p.Chunking, Binary: p.Binary,
			AllowLongLines: p.AllowLongLines, SMTPUTF8: p.Content.NeedsSMTPUTF8()}}
	if s.Backoff == nil {
		s.Backoff = retry.Backoff
	}
	if expire := cmp.Or(o.Expire, retry.Expire, defaultExpire); expire > 0 {
		s.Expires = later(now, o.NotBefore).Add(expire)
	}
	describe(&s.Job, p)
	if o.Key != "" {
		if s.Print, err = fingerprint(p); err != nil {
			return s, nil, err
		}
	}
	s.Body, done, err = body(p.Content, o.Durability)
	return s, done, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// retry is how the account is tried, as far as it can be found now.
func (c *Client) retry(ctx context.Context, account string) Retry {
	first, _, _ := strings.Cut(account, ">") // of a chain
	a, err := c.resolve(ctx, Account{Name: first})
	if err != nil {
		return Retry{} // it need not be there yet
	}
	return a.Retry
}

// bothTags are words of two lists, each once.
func bothTags(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	all := slices.Clone(a)
	for _, tag := range b {
		if !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	return all
}

// body is the content as a store takes it.
func body(content *smtp.Content, d queue.Durability) (b *queue.Body, done func(), err error) {
	if octets, ok := content.Octets(); ok {
		return queue.Octets(octets), func() {}, nil
	}
	r, err := content.Reader()
	if err != nil {
		return nil, nil, unfit(smtp.ClassContent, err)
	}
	done = func() { _ = r.Close() } // all of it was read, or Put has failed
	if d == queue.Disk {
		return queue.Stream(r), done, nil
	}
	octets, err := io.ReadAll(r)
	if err != nil {
		done()
		return nil, nil, unfit(smtp.ClassContent, err)
	}
	return queue.Octets(octets), done, nil
}

// queueError is a failure of the store at the front door.
func queueError(account string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return named(err, &Account{Name: account})
	}
	class := smtp.ClassState
	var invalid *queue.InvalidError
	var conflict *queue.ConflictError
	switch {
	case errors.As(err, &invalid), errors.As(err, &conflict):
		class = smtp.ClassContent
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		class = smtp.ClassCanceled
	case errors.Is(err, queue.ErrClosed):
		class = smtp.ClassClosed
	}
	return &Error{Account: account, Phase: smtp.PhaseWaiting, Class: class, Err: err}
}
