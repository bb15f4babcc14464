package message_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// TestComposedOnce sends one body to many recipients, each in a transaction of
// their own, and counts how often it is made.
func TestComposedOnce(t *testing.T) {
	t.Parallel()
	const recipients, senders = 1000, 8
	var composed atomic.Int64
	m := everything()
	m.DKIM = both()[1:]
	m.Attachments = []message.Attachment{{Name: "count.txt", Open: func() (io.ReadCloser, error) {
		composed.Add(1)
		return io.NopCloser(strings.NewReader("x")), nil
	}}}
	server := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, KeepMessages: true})
	defer server.Close()
	account := must(kaizen.ParseURL("smtp://" + server.Addr() + "?tls=none&rate=none"))
	account.DialContext = server.DialContext
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	prepared := must(kaizen.Prepare(m))
	var next atomic.Int64
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for i := next.Add(1); i <= recipients; i = next.Add(1) {
				one := *prepared
				one.Envelope.To = smtp.To(fmt.Sprintf("r%d@example.org", i))
				if _, err := client.Send(t.Context(), account, &one); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	reached := map[string]bool{}
	arrived := server.Messages()
	for _, each := range arrived {
		reached[each.To[0].Address] = true
		if !bytes.Equal(each.Data, arrived[0].Data) {
			t.Error("two recipients got different octets")
		}
	}
	if n := composed.Load(); n != 1 || len(reached) != recipients {
		t.Errorf("composed %d times for %d recipients", n, len(reached))
	}
	if !bytes.Equal(write(t, m), arrived[0].Data) {
		t.Error("the copy kept is not what was sent")
	}
}
