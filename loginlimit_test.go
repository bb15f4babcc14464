package kaizen_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// Whatever words a login is refused with, those who wait are not sent to knock
// one after the other: that is how accounts get locked.
func TestARefusedLoginIsNotHammered(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"454 4.7.0 Too many login attempts", "421 4.7.0 Too many concurrent SMTP connections",
		"452 4.4.5 Daily sending quota exceeded", "451 4.7.0 You send too fast, slow down", "550 5.4.5 Daily user sending quota exceeded"} {
		synctest.Test(t, func(t *testing.T) {
			fault, err := smtptest.ParseFault("auth:reply=" + reply)
			if err != nil {
				t.Fatal(err)
			}
			s := memoryServer(t, smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "secret"}}, Faults: []smtptest.Fault{fault}})
			client := kaizen.New(kaizen.Config{})
			defer client.Close()
			a := account(s)
			a.Username, a.Password, a.InsecureAuth = "ann", "secret", true
			var senders sync.WaitGroup
			for range 40 {
				senders.Go(func() {
					if _, err := client.Send(t.Context(), a, note("1", people(1)...)); err == nil {
						t.Errorf("%s: sent", reply)
					}
				})
			}
			senders.Wait()
			if n := len(s.Connections()); n > 5 {
				t.Errorf("%s: %d connections for 40 messages", reply, n)
			}
		})
	}
}
