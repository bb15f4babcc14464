package kaizen_test

import (
	"errors"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestCommitComesBeforeTheServerCanAccept(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	m := note("1", people(1)...)
	calls, before := 0, -1
	m.Commit = func() error {
		calls++
		before = s.Stats().Accepted
		return nil
	}
	if _, err := client.Send(t.Context(), account(s), m); err != nil {
		t.Fatal(err)
	}
	if calls != 1 || before != 0 {
		t.Errorf("called %d times, when the server had accepted %d messages", calls, before)
	}
}

func TestAnErrorOfCommitTakesTheMessageBack(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	full := errors.New("no room to note it")
	m := note("1", people(1)...)
	m.Commit = func() error { return full }
	_, err := client.Send(t.Context(), account(s), m)
	var e *kaizen.Error
	if !errors.As(err, &e) || e.Outcome != smtp.NotSent || !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Send(t.Context(), account(s), note("2", people(1)...)); err != nil {
		t.Error("the next message:", err)
	}
	if n := s.Stats().Accepted; n != 1 {
		t.Errorf("%d messages accepted, want the second alone", n)
	}
}
