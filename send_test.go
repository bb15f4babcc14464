package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// people are n addresses in order.
func people(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("p%d@example.net", i)
	}
	return list
}

// eachOnce fails unless everybody got the message exactly once.
func eachOnce(t *testing.T, s *smtptest.Server, id string, want []string) {
	t.Helper()
	got := s.Accepted()["<"+id+">"].Recipients
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("%s arrived at %v, want %v", id, got, want)
	}
}

func addresses(results []kaizen.RecipientResult) (list []string) {
	for _, r := range results {
		list = append(list, r.Address)
	}
	return list
}

func TestSendGivesAReceipt(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(2)...))
	if err != nil {
		t.Fatal(err)
	}
	if r.Account != "localhost:25" || r.MessageID != "1" || r.Outcome != smtp.Accepted || len(r.Transactions) != 1 ||
		!slices.Equal(addresses(r.Recipients), people(2)) || r.Took <= 0 || r.RoundTrips() == 0 || r.Recipients[1].Reply.Code != 250 {
		t.Errorf("%+v", r)
	}
}

// Some recipients refused: those accepted have the message, so there is a
// receipt, and an error about the others.
func TestSomeRecipientsRefused(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Reject: func(p smtptest.Phase, arg string) *smtptest.Reply {
		switch {
		case p == smtptest.PhaseRCPT && strings.HasPrefix(arg, "p1@"):
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		case p == smtptest.PhaseRCPT && strings.HasPrefix(arg, "p3@"):
			return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
		}
		return nil
	}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(5)...))
	var e *kaizen.Error
	if r == nil || !errors.As(err, &e) || !errors.Is(err, kaizen.ErrRecipient) {
		t.Fatalf("receipt %v, error %v", r, err)
	}
	if r.Outcome != smtp.Accepted || !slices.Equal(addresses(r.Recipients), people(5)) {
		t.Errorf("receipt %+v", r)
	}
	if !slices.Equal(addresses(e.Recipients), []string{"p1@example.net", "p3@example.net"}) || e.Recipients[1].Reply.Code != 450 {
		t.Errorf("error %+v", e.Recipients)
	}
	// p3 may be tried again, although p1 is the first in the error.
	if !e.Temporary() || !e.SafeToRetry() || !strings.Contains(err.Error(), "p1@example.net: 550") || !strings.Contains(err.Error(), "[2 recipients") {
		t.Errorf("%v: temporary %t, safe to retry %t", err, e.Temporary(), e.SafeToRetry())
	}
	eachOnce(t, s, "1", []string{"p0@example.net", "p2@example.net", "p4@example.net"})
}

func TestAllRecipientsRefused(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, refuse(smtptest.PhaseRCPT, 550, "5.1.1 No such user"))
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(3)...))
	var e *kaizen.Error
	if r == nil || r.Outcome != smtp.Rejected || !errors.As(err, &e) || len(e.Recipients) != 3 || e.Temporary() {
		t.Errorf("receipt %+v, error %v", r, err)
	}
}

// The verdict was lost: nobody can tell, and nothing is sent again.
func TestUnknownIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop}}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1"))
	var e *kaizen.Error
	if r == nil || r.Outcome != smtp.Unknown || !errors.As(err, &e) || e.Outcome != smtp.Unknown || e.SafeToRetry() {
		t.Errorf("receipt %+v, error %v", r, err)
	}
	if times := s.Accepted()["<1>"].Times; times != 1 {
		t.Errorf("arrived %d times", times)
	}
}

// Nobody answers: not sent, and no receipt, since no server said anything.
func TestNotSent(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	s.Close()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(2)...))
	var e *kaizen.Error
	if r != nil || !errors.As(err, &e) || !errors.Is(err, kaizen.ErrConnect) || e.Outcome != smtp.NotSent || !e.Temporary() || !e.SafeToRetry() ||
		!slices.Equal(addresses(e.Recipients), people(2)) {
		t.Errorf("receipt %+v, error %v", r, err)
	}
}

// A server with room for three recipients at a time gets the others in further
// transactions; it is asked for more only once.
func TestManyRecipientsAreSplit(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 3}, Transcripts: true})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for _, id := range []string{"1", "2"} {
		r, err := client.Send(t.Context(), account(s), note(id, people(10)...))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Transactions) != 4 || !slices.Equal(addresses(r.Recipients), people(10)) {
			t.Errorf("%d transactions, recipients %v", len(r.Transactions), addresses(r.Recipients))
		}
		for _, to := range r.Recipients {
			if to.Outcome != smtp.Accepted || to.Reply.Code != 250 {
				t.Errorf("%+v", to)
			}
		}
		eachOnce(t, s, id, people(10))
	}
	if n := strings.Count(s.Transcript(1), "452 4.5.3"); n != 7 {
		t.Errorf("too many recipients at a time %d times, want 7: only before the limit was known", n)
	}
}

// What EHLO tells is known before the second message at the latest.
func TestToldRecipientLimitIsUsed(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 4},
		Extensions: []string{"PIPELINING", "ENHANCEDSTATUSCODES", "LIMITS RCPTMAX=4"}, Transcripts: true})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for i, to := range [][]string{people(1), people(10)} {
		if _, err := client.Send(t.Context(), account(s), note(fmt.Sprint(i), to...)); err != nil {
			t.Fatal(err)
		}
		eachOnce(t, s, fmt.Sprint(i), to)
	}
	if strings.Contains(s.Transcript(1), "452 4.5.3") {
		t.Error("more recipients at a time than the server told")
	}
}

// Servers may say "too many" to some, and another refusal to others, in any
// order. The error is about those who stay refused.
func TestSplittingWithRefusalsAmong(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 2}, Reject: func(p smtptest.Phase, arg string) *smtptest.Reply {
		if p == smtptest.PhaseRCPT && strings.HasPrefix(arg, "p4@") {
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		}
		return nil
	}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(6)...))
	var e *kaizen.Error
	if r == nil || !errors.As(err, &e) || !slices.Equal(addresses(e.Recipients), []string{"p4@example.net"}) ||
		!strings.Contains(err.Error(), "p4@example.net: 550") || !slices.Equal(addresses(r.Recipients), people(6)) {
		t.Errorf("receipt %+v, error %v", r, err)
	}
	eachOnce(t, s, "1", slices.Delete(people(6), 4, 5))
}

// A server that has room for nobody is not asked for ever, and it is an error.
func TestRoomForNobody(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, refuse(smtptest.PhaseRCPT, 452, "4.5.3 Too many recipients"))
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(3)...))
	if !errors.Is(err, kaizen.ErrTooManyRecipients) || r == nil || len(r.Transactions) != 1 {
		t.Errorf("receipt %+v, error %v", r, err)
	}
}

// The rest of a message goes nowhere when the server refuses what all parts
// have in common, and that rest is surely not sent.
func TestSplittingStopsAtARefusalOfTheMessage(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 2},
		Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Answer, Nth: 2, Reply: smtptest.Reply{Code: 554, Text: "5.6.0 Spam"}}}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(6)...))
	if r == nil || !errors.Is(err, kaizen.ErrContent) {
		t.Fatalf("receipt %+v, error %v", r, err)
	}
	want := []kaizen.Outcome{smtp.Accepted, smtp.Accepted, smtp.Rejected, smtp.Rejected, smtp.NotSent, smtp.NotSent}
	for i, to := range r.Recipients {
		if to.Outcome != want[i] {
			t.Errorf("%s is %v, want %v", to.Address, to.Outcome, want[i])
		}
	}
}

// All or nothing cannot be split, nor can what is read only once: the error
// says so, and those who got the message are in the receipt.
func TestWhatIsNotSplit(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 3}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for i := range 2 { // the second time, the limit is known
		whole := note(fmt.Sprint("whole", i), people(10)...)
		whole.AllOrNothing = true
		if r, err := client.Send(t.Context(), account(s), whole); !errors.Is(err, kaizen.ErrTooManyRecipients) || r == nil || len(r.Transactions) != 1 || r.Outcome == smtp.Accepted {
			t.Errorf("all or nothing: receipt %+v, error %v", r, err)
		}
		once := note(fmt.Sprint("once", i), people(10)...)
		once.Content = smtp.Reader(io.MultiReader(strings.NewReader("Message-ID: <"+once.MessageID+">\r\n\r\n"), strings.NewReader(strings.Repeat("0123456\r\n", 10_000))))
		r, err := client.Send(t.Context(), account(s), once)
		var e *kaizen.Error
		if !errors.As(err, &e) || r == nil || r.Outcome != smtp.Accepted || len(e.Recipients) != 7 {
			t.Errorf("a stream: receipt %+v, error %v", r, err)
		}
		eachOnce(t, s, once.MessageID, people(3))
	}
	if n := len(s.Accepted()); n != 2 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestAThousandRecipients(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{Limits: smtptest.Limits{RecipientsPerMessage: 100}})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	r, err := client.Send(t.Context(), account(s), note("1", people(1_000)...))
	if err != nil || len(r.Transactions) != 10 {
		t.Fatalf("receipt %v, error %v", r, err)
	}
	eachOnce(t, s, "1", people(1_000))
}

// The receipt tells how long the message waited for a limit, and for which.
func TestReceiptTellsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer s.Close()
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Minute}}
		for i := range 2 {
			r, err := client.Send(t.Context(), a, note(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 && r.Waited != (kaizen.Waited{}) {
				t.Errorf("the first waited %+v", r.Waited)
			}
			if w := r.Waited; i == 1 && (w.ForRate != time.Minute || w.Total != time.Minute || w.Rate != "1 per minute" || r.Took < time.Minute) {
				t.Errorf("the second waited %+v", w)
			}
		}
	})
}

// Urgent messages overtake those that came before.
func TestPrioritiesOvertake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, KeepMessages: true})
		defer s.Close()
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Second}}
		var senders sync.WaitGroup
		for _, p := range []kaizen.Priority{kaizen.PriorityNormal, kaizen.PriorityBulk, kaizen.PriorityNormal, kaizen.PriorityHigh, kaizen.PriorityUrgent} {
			m := note(fmt.Sprint("p", p))
			m.Priority = p
			senders.Go(func() {
				if _, err := client.Send(context.Background(), a, m); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		senders.Wait()
		var order []string
		for _, m := range s.Messages() {
			order = append(order, m.ID)
		}
		if want := []string{"<pnormal>", "<purgent>", "<phigh>", "<pnormal>", "<pbulk>"}; !slices.Equal(order, want) {
			t.Errorf("arrived as %v, want %v", order, want)
		}
	})
}

func TestTooManyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer s.Close()
		client := kaizen.New(kaizen.Config{MaxWaiting: 2})
		defer client.Close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Hour}}
		var senders sync.WaitGroup
		for i := range 3 { // one goes, two wait
			senders.Go(func() {
				if _, err := client.Send(context.Background(), a, note(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		r, err := client.Send(t.Context(), a, note("one too many"))
		var e *kaizen.Error
		if r != nil || !errors.Is(err, kaizen.ErrBusy) || !errors.As(err, &e) || !e.Temporary() || !e.SafeToRetry() {
			t.Errorf("receipt %v, error %v", r, err)
		}
		if want := "localhost:25: waiting: 2 messages are waiting already"; err.Error() != want {
			t.Errorf("says %q", err)
		}
		senders.Wait()
	})
}
