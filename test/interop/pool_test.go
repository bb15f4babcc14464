package interop_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// traffic is what the pool did with some letters.
type traffic struct {
	watch
	mu       sync.Mutex
	accepted []*letter
	level    smtp.Level // the highest that was reached
	stats    kaizen.Stats
}

// sendPool sends letters through one client, twenty at once, and checks each
// receipt. chunking asks for BDAT.
func sendPool(t *testing.T, account kaizen.Account, offered smtp.Capabilities, all []*letter, chunking bool) *traffic {
	t.Helper()
	done := &traffic{}
	account.Trace = done.trace()
	client := kaizen.New(kaizen.Config{})
	work := make(chan *letter)
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			for l := range work {
				p := l.prepared(t)
				p.Chunking = chunking
				receipt, err := client.Send(t.Context(), account, p)
				done.note(t, l, offered, receipt, err)
			}
		})
	}
	for _, l := range all {
		work <- l
	}
	close(work)
	senders.Wait()
	for _, s := range client.Stats() {
		done.stats = s
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	return done
}

// note checks one verdict: an address or a header that the server cannot be told
// is refused before anything is sent, all else is accepted.
func (d *traffic) note(t *testing.T, l *letter, offered smtp.Capabilities, receipt *kaizen.Receipt, err error) {
	t.Helper()
	if l.needsUTF8() && !offered.SMTPUTF8 {
		var failed *kaizen.Error
		if !errors.As(err, &failed) || failed.Outcome != smtp.NotSent || !strings.Contains(err.Error(), "SMTPUTF8") {
			t.Errorf("%s: got %v, want a refusal before it is sent: the server does not offer SMTPUTF8", l.name, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", l.name, err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accepted = append(d.accepted, l)
	for _, transaction := range receipt.Transactions {
		d.level = max(d.level, transaction.Level)
	}
}
