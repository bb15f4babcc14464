package smtptest_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// A rate is changed while the server runs; what was counted still counts.
func TestSetRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer s.Close()
		one := hello + oneRcpt + "BDAT 3 LAST\r\nx\r\nQUIT\r\n"
		const taken, atMail, atEnd = "220 250 250 250 250 221", "220 250 451 503 503 221", "220 250 250 250 450 221"
		send := func(want string) {
			t.Helper()
			if got := dialogue(t, s, one); got != want {
				t.Errorf("%v: %s, want %s", s.MailTimes(), got, want)
			}
		}
		send(taken)
		s.SetRate(smtptest.Rate{N: 1, Per: time.Hour})
		send(taken) // before, nothing was counted
		send(atMail)
		s.SetRate(smtptest.Rate{N: 2, Per: time.Hour})
		send(taken)
		s.SetRate(smtptest.Rate{N: 1, Per: time.Minute, AtFinal: true, Reply: smtptest.Reply{Code: 450, Text: "slowly"}})
		send(atEnd)
		time.Sleep(time.Minute)
		send(taken)
		send(atEnd)
		s.SetRate(smtptest.Rate{})
		send(taken)
	})
}

func TestSetRateWhileMessagesCome(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Limits: smtptest.Limits{Rate: smtptest.Rate{N: 1, Per: time.Hour}}})
	defer s.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { play(t, s, hello+oneRcpt+"BDAT 3 LAST\r\nx\r\nQUIT\r\n") })
		all.Go(func() { s.SetRate(smtptest.Rate{N: i, Per: time.Hour, AtFinal: i%2 == 0}) })
	}
	all.Wait()
	if n := s.Stats().Mails; n != 8 {
		t.Errorf("%d MAIL commands", n)
	}
}
