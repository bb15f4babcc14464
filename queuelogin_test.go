package kaizen_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// rereading reads an account's certificates anew whenever it is told to forget it.
type rereading struct {
	mu      sync.Mutex
	account kaizen.Account
	forgets int
}

func (r *rereading) Account(context.Context, string) (kaizen.Account, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.account, nil
}

func (r *rereading) Forget(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgets++
	r.account.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
}

// That the account is found anew after a refused login must not look like new
// credentials for ever: delivery would go on trying, and never be done.
func TestRefusedLoginEndsRunUntilEmpty(t *testing.T) {
	bubble(t, smtptest.Config{Auth: &smtptest.Auth{Required: true}}, func(t *testing.T, s *smtptest.Server) {
		r := &rereading{account: account(s)}
		r.account.Username, r.account.Password = "ann", "wrong"
		client := kaizen.New(kaizen.Config{Accounts: r, Queue: memory.New(), StateDir: filepath.Join(t.TempDir(), "state")})
		defer client.Close()
		for _, id := range []string{"1", "2", "3"} {
			if _, err := client.Enqueue(t.Context(), "work", note(id), kaizen.EnqueueOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.RunUntilEmpty(t.Context()); err != nil {
			t.Error(err)
		}
		if n := s.Stats().LoginsRefused; n != 1 || r.forgets != 1 {
			t.Errorf("%d logins were refused, the account was forgotten %d times", n, r.forgets)
		}
	})
}
