package kaizen

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/queue"
)

// reportTimeout bounds how long a report may take to be queued.
const reportTimeout = 30 * time.Second

// report queues a delivery status notification for a job that has failed. Its key
// keeps it from being queued twice.
func (c *Client) report(j *queue.Job) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	notice := c.notice(ctx, j)
	_, err := c.Enqueue(ctx, j.Lane, notice, EnqueueOptions{Key: "report-" + j.ID.String(), Tags: []string{"report"}})
	if err != nil && !errors.Is(err, message.ErrNoReport) {
		c.config.Logger.Error("a sender could not be told of a failure", "job", j.ID, "account", j.Lane, "error", err)
	}
}

// reportLate is how long after a job failed its sender is still told. A report that
// is remembered no more could be sent twice.
const reportLate = 24 * time.Hour

// reportAgain reports jobs that failed when a process ended before it could.
func (c *Client) reportAgain(ctx context.Context) {
	const most = 1000
	now := time.Now()
	late := min(reportLate, c.config.Retention.WithDefaults().Sent/2)
	jobs, err := c.config.Queue.List(ctx, now, queue.Filter{States: []queue.State{queue.Failed, queue.Expired}, Reverse: true, Limit: most})
	if err != nil {
		return // the run itself will tell
	}
	for i := range jobs {
		if jobs[i].Report && (late < 0 || now.Sub(jobs[i].Ended) < late) {
			c.report(&jobs[i])
		}
	}
}

func (c *Client) notice(ctx context.Context, j *queue.Job) *message.Report {
	_, domain, _ := strings.Cut(j.Envelope.From, "@")
	r := &message.Report{From: "Mail delivery <mailer-daemon@" + domain + ">", To: j.Envelope.From,
		Original: message.Original{Arrived: j.Created, EnvelopeID: j.Envelope.EnvelopeID, Return: j.Envelope.Return,
			Subject: j.Subject, MessageID: j.MessageID}}
	var last *queue.Attempt
	if d, err := c.config.Queue.Get(ctx, time.Now(), j.ID); err == nil {
		last = lastAttempt(d.History)
		if body := d.Body; body != nil {
			r.Original.Open = func() (io.ReadCloser, error) { return body.Reader() }
		}
	}
	for i := range j.Recipients {
		if to := &j.Recipients[i]; to.State == queue.Failed || to.State == queue.Expired {
			r.Recipients = append(r.Recipients, reported(to, j, last))
		}
	}
	return r
}

func lastAttempt(history []queue.Entry) (last *queue.Attempt) {
	for i := range history {
		if a := history[i].Attempt; a != nil {
			last = a
		}
	}
	return last
}

// hostOf is the host of host:port; "" for what is no server.
func hostOf(server string) string {
	host, port, err := net.SplitHostPort(server)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return ""
	}
	return host
}

func reported(to *queue.Recipient, j *queue.Job, last *queue.Attempt) message.Reported {
	r := message.Reported{Recipient: to.Recipient, Reply: to.Reply, Reason: j.Reason}
	if to.State == queue.Expired {
		r.Action = message.ReportExpired
	}
	if last != nil {
		r.Tried = last.Started
		r.Server = hostOf(last.Server)
		if r.Reason == "" && r.Reply.IsZero() {
			r.Reason = last.Error
		}
	}
	return r
}
