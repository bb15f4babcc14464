package kaizen

import (
	"context"
	"io"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// outlet is how the jobs of a lane go out: through the account of its name.
type outlet struct {
	client  *Client
	account Account
	way     way
}

// outlet resolves a lane's name into an account.
func (c *Client) outlet(ctx context.Context, lane string) (delivery.Outlet, error) {
	if routing.IsChain(lane) {
		return c.chainOutlet(ctx, lane)
	}
	a, err := c.resolve(ctx, Account{Name: lane})
	c.deliveries.found(lane, err)
	if err != nil {
		return nil, err
	}
	w, err := c.way(&a)
	if err != nil {
		return nil, err
	}
	return &outlet{c, a, w}, nil
}

// Room asks the pool. One that was stopped may have been let go on by another
// process.
func (o *outlet) Room(depth, own int) delivery.Room {
	if o.way.drained != nil {
		select {
		case <-o.way.drained:
		default:
			return delivery.Room{} // a CloseAccount is going on
		}
	}
	r := o.way.pool.Room(o.way.target.Key, depth, own)
	if r.Err != nil && barredBefore(r.Err) && o.way.resumeElsewhere() {
		r = o.way.pool.Room(o.way.target.Key, depth, own)
	}
	room := delivery.Room{Messages: r.Messages, Slots: r.Slots, Connections: r.Connections, Again: r.Again}
	if r.Err != nil {
		room.Err, room.Stopped = r.Err, r.Err.Class == smtp.ClassAuth
	}
	return room
}

// Send sends in one transaction, to as many recipients as the server takes in one.
func (o *outlet) Send(ctx context.Context, m delivery.Message) delivery.Result {
	p := o.prepare(m)
	defer p.Content.Close() // gives back what was opened and not sent
	to := m.To
	if n := o.way.memories.recipientLimit(); n > 0 && !p.AllOrNothing {
		to = to[:min(n, len(to))]
	}
	p.Envelope.To = to
	if err := p.Content.Prepare(); err != nil {
		return delivery.Result{Tried: len(to), Err: &smtp.Error{Phase: smtp.PhaseWaiting, Class: smtp.ClassContent, Err: err}}
	}
	last, err := o.send(ctx, p, m.Pulled)
	return delivery.Result{Tried: len(to), Last: last, Err: err}
}

// send is one transaction, of which the hooks are told as of a Send.
func (o *outlet) send(ctx context.Context, p *Prepared, pulled func()) (*smtp.Result, error) {
	s := sending{way: o.way, message: p, receipt: &Receipt{Account: o.way.account, MessageID: p.MessageID}, pulled: pulled}
	t := o.client.config.Trace
	if t == nil {
		return s.transact(ctx, p.Envelope.To)
	}
	s.seen = &observed{server: o.way.target.Server, message: p}
	if t.SendStart != nil {
		ctx = t.SendStart(ctx, SendStartInfo{Account: o.way.account, Server: o.way.target.Server, Message: p})
	}
	last, err := s.transact(ctx, p.Envelope.To)
	if t.SendDone != nil {
		t.SendDone(ctx, s.told(last, err))
	}
	return last, err
}

// told is what SendDone is told of a transaction of the queue.
func (d *sending) told(last *smtp.Result, err error) SendDoneInfo {
	info := SendDoneInfo{Account: d.way.account, Server: d.way.target.Server, Message: d.message,
		Waited: d.receipt.Waited, Repeated: d.seen.repeated}
	if last != nil {
		d.receipt.Recipients = last.Recipients
		d.receipt.conclude()
		info.Receipt = d.receipt
	}
	if err != nil {
		info.Err = front(d.way.account, err)
	}
	return info
}

func (o *outlet) prepare(m delivery.Message) *Prepared {
	j := m.Job
	p := &Prepared{Envelope: j.Envelope, Content: contentOf(m.Content), MessageID: j.MessageID, Priority: j.Priority,
		AllOrNothing: j.Options.AllOrNothing, Chunking: j.Options.Chunking, Binary: j.Options.Binary,
		AllowLongLines: j.Options.AllowLongLines, Commit: m.Commit}
	if j.Options.SMTPUTF8 {
		p.Content.RequireSMTPUTF8()
	}
	return p
}

// contentOf is a stored body.
func contentOf(b *queue.Content) *smtp.Content {
	if b.Open == nil {
		return smtp.Bytes(b.Octets)
	}
	open := b.Open
	return smtp.Open(func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, &delivery.ReadError{Err: err}
		}
		return stored{r}, nil
	}).DeclareSize(b.Size)
}

// stored tells failures of the store from those of the message.
type stored struct{ io.ReadCloser }

// Read reads.
func (s stored) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &delivery.ReadError{Err: err}
	}
	return n, err
}

// resumeElsewhere lets the pool go on if another process has said so.
func (w *way) resumeElsewhere() bool {
	lifted := w.keeper.liftedElsewhere(w.target.Key, time.Now())
	if lifted {
		w.pool.Resume(w.target.Key)
	}
	return lifted
}
