package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// office sends to all stands: through one client that stays, and through one
// that is closed, in the midst of everything, and made anew.
type office struct {
	farm   farm
	books  *books
	steady *kaizen.Client
	cycled atomic.Pointer[kaizen.Client]

	work   sync.WaitGroup
	levels [4]atomic.Int64 // of accepted messages

	mu         sync.Mutex
	complaints []string
}

// generations is how many clients the cycled one is in turn.
const generations = 10

func newOffice(f farm, b *books) *office {
	o := &office{farm: f, books: b, steady: kaizen.New(kaizen.Config{})}
	o.cycled.Store(kaizen.New(kaizen.Config{}))
	return o
}

// open starts to send, until the deadline.
func (o *office) open(deadline time.Time) {
	for _, s := range o.farm {
		for range s.senders {
			o.work.Go(func() { o.send(s, deadline) })
		}
	}
	every := time.Until(deadline) / generations
	o.work.Go(func() {
		for time.Until(deadline) > every {
			<-time.After(every)
			o.retire(o.cycled.Swap(kaizen.New(kaizen.Config{})))
		}
	})
}

// close waits for the senders and closes the clients.
func (o *office) close() []string {
	o.work.Wait()
	o.retire(o.cycled.Load())
	o.retire(o.steady)
	fmt.Printf("\naccepted in lock-step %d, in groups %d, with look-ahead %d\n\n",
		o.levels[smtp.LevelLockStep].Load(), o.levels[smtp.LevelGroup].Load(), o.levels[smtp.LevelLookAhead].Load())
	return o.complaints
}

func (o *office) complain(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.complaints) < 20 {
		o.complaints = append(o.complaints, fmt.Sprintf(format, args...))
	}
}

// retire closes a client and looks whether anything is left of it.
func (o *office) retire(c *kaizen.Client) {
	if err := c.Close(); err != nil {
		o.complain("%v", err)
	}
	for _, st := range c.Stats() {
		var closed int64
		for _, n := range st.Closed {
			closed += n
		}
		if st.Waiting+st.InFlight+st.Open > 0 || closed != st.Dialled {
			o.complain("a closed client has not ended: %+v", st)
		}
	}
}

// send is one sender: a message, its outcome, the next.
func (o *office) send(s *stand, deadline time.Time) {
	for time.Now().Before(deadline) {
		n, room := o.books.next()
		if !room {
			o.complain("more messages than the books hold: they are made for %d a second", fastest)
			o.books.told(n, smtp.NotSent)
			return
		}
		client := o.steady
		if s.cycles {
			client = o.cycled.Load()
		}
		ctx, cancel := patience()
		receipt, err := client.Send(ctx, s.account, letter(n))
		cancel()
		if o.note(s, n, receipt, err) {
			<-time.After(rand.N(20 * time.Millisecond))
		}
	}
}

// note books the outcome and reports whether the server is better left alone for
// a moment.
func (o *office) note(s *stand, n int64, r *kaizen.Receipt, err error) (pause bool) {
	var e *kaizen.Error
	switch {
	case err == nil:
		o.books.told(n, smtp.Accepted)
		o.levels[r.Transactions[0].Level].Add(1)
		return false
	case !errors.As(err, &e):
		o.complain("not an error of ours: %v", err)
		return false
	}
	if arrivals := o.books.told(n, e.Outcome); arrivals > 0 && e.SafeToRetry() {
		o.complain("%s: message %d has arrived: %v", s.name, n, err)
	}
	if e.Class == kaizen.ErrRate {
		o.complain("%s: the limit did not hold: %v", s.name, err)
	}
	if e.Class == kaizen.ErrAuth || e.Class == kaizen.ErrBusy {
		o.complain("%v", err)
	}
	return r == nil && e.Class != kaizen.ErrCanceled
}

// patience is endless, but for one sender in a hundred.
func patience() (context.Context, context.CancelFunc) {
	if rand.IntN(100) > 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), rand.N(20*time.Millisecond))
}

var (
	smallText = strings.Repeat("A line of a message that is not long.\r\n", 20)
	largeText = strings.Repeat("A line of a message that is rather long.\r\n", 2500)
)

// letter is message n, in one of many kinds.
func letter(n int64) *kaizen.Prepared {
	text := fmt.Sprintf("Message-ID: <%d@soak.test>\r\nSubject: soak\r\n\r\n", n)
	if n%100 == 0 {
		text += largeText
	} else {
		text += smallText
	}
	content := smtp.Bytes([]byte(text))
	if n%16 == 0 { // can be read once only
		content = smtp.Reader(io.MultiReader(strings.NewReader(text)))
	}
	return &kaizen.Prepared{
		Envelope: smtp.Envelope{From: "soak@example.com", To: smtp.To("sink@example.net")},
		Content:  content, Chunking: n%8 == 0,
	}
}
