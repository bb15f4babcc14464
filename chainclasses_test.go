package kaizen_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// Too many messages wait for the first account: the next ones go through the other.
func TestChainBusy(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, second *smtptest.Server) {
		first := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer first.Close()
		slow := account(first)
		slow.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Hour}}
		accounts := new(named)
		accounts.set("office", slow)
		accounts.set("backup", account(second))
		client := kaizen.New(kaizen.Config{Accounts: accounts, MaxWaiting: 1, DrainTimeout: -1})
		defer client.Close()
		chain := kaizen.Account{Name: "office>backup"}
		sendAll(t, client, chain, 1)
		waits := make(chan error)
		go func() { _, err := client.Send(context.Background(), chain, note("waits")); waits <- err }()
		pass(time.Second)
		r, err := client.Send(t.Context(), chain, note("2"))
		if err != nil || r.Account != "backup" || !errors.Is(r.Parts[0].Err, kaizen.ErrBusy) {
			t.Errorf("%+v %v", r, err)
		}
		_ = client.CloseAccount(t.Context(), kaizen.Account{Name: "office"})
		// Closing is somebody's wish, and no failure of the account.
		if err := <-waits; !errors.Is(err, kaizen.ErrClosed) || second.Accepted()["<waits>"].Times != 0 {
			t.Errorf("%v", err)
		}
	})
}

// What is kept of the first account cannot be read: the other one is asked.
func TestChainState(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{}, "backup")
	strict := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Auth: &smtptest.Auth{BeforeTLS: true, Users: map[string]string{"ann": "right"}}})
	defer strict.Close()
	refused := account(strict)
	login(&refused)
	accounts.set("office", refused)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dir := t.TempDir()
	prepare := kaizen.New(kaizen.Config{Accounts: accounts, StateDir: dir})
	if _, err := prepare.Send(ctx, kaizen.Account{Name: "office"}, note("1")); !errors.Is(err, kaizen.ErrAuth) {
		t.Fatal(err)
	}
	if err := prepare.Close(); err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(dir, "accounts", "*.json"))
	if err != nil || len(records) != 1 || os.Remove(records[0]) != nil || os.MkdirAll(filepath.Join(records[0], "x"), 0o700) != nil {
		t.Fatal(records, err)
	}
	client := kaizen.New(kaizen.Config{Accounts: accounts, StateDir: dir})
	defer client.Close()
	if _, err := client.Send(ctx, kaizen.Account{Name: "office"}, note("2")); !errors.Is(err, kaizen.ErrState) {
		t.Fatalf("%v", err)
	}
	if r, err := client.Send(ctx, kaizen.Account{Name: "office>backup"}, note("3")); err != nil || r.Account != "backup" || all["backup"].Stats().Accepted != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

// A caller who gives up is not served by the next account, nor by a client that is
// closed.
func TestChainCanceled(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, second *smtptest.Server) {
		first := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer first.Close()
		slow := account(first)
		slow.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Hour}}
		accounts := new(named)
		accounts.set("office", slow)
		accounts.set("backup", account(second))
		client := kaizen.New(kaizen.Config{Accounts: accounts})
		chain := kaizen.Account{Name: "office>backup"}
		sendAll(t, client, chain, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := client.Send(ctx, chain, note("2"))
		var e *kaizen.Error
		if r != nil || !errors.As(err, &e) || e.Class != kaizen.ErrCanceled || len(e.Recipients) != 1 || len(e.Others) != 0 || !e.SafeToRetry() {
			t.Errorf("%+v %v", r, err)
		}
		refused := errors.New("taken back")
		m := note("3")
		commits := 0
		m.Commit = func() error { commits++; return refused }
		if _, err := client.Send(t.Context(), kaizen.Account{Name: "backup>office"}, m); !errors.Is(err, refused) || !errors.Is(err, kaizen.ErrCanceled) || commits != 1 {
			t.Errorf("asked %d times: %v", commits, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if _, err := client.Send(t.Context(), chain, note("4")); !errors.Is(err, kaizen.ErrClosed) {
			t.Errorf("%v", err)
		}
		if n := second.Stats().Accepted + first.Stats().Accepted; n != 1 {
			t.Errorf("%d arrived", n)
		}
	})
}

// All or nothing stays so: what the first server takes in several transactions only
// is not tried elsewhere.
func TestChainSplit(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{}, "backup")
	few := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Limits: smtptest.Limits{RecipientsPerMessage: 2}})
	defer few.Close()
	accounts.set("office", account(few))
	client := kaizen.New(kaizen.Config{Accounts: accounts})
	defer client.Close()
	m := note("1", people(5)...)
	if r, err := client.Send(t.Context(), kaizen.Account{Name: "office>backup"}, m); err != nil || len(r.Transactions) != 3 || len(r.Parts) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	m = note("2", people(5)...)
	m.AllOrNothing = true
	if r, err := client.Send(t.Context(), kaizen.Account{Name: "office>backup"}, m); !errors.Is(err, kaizen.ErrTooManyRecipients) || r.Outcome == smtp.Accepted {
		t.Errorf("%+v %v", r, err)
	}
	if n := all["backup"].Stats().Mails; n != 0 {
		t.Errorf("the second was asked %d times", n)
	}
}
