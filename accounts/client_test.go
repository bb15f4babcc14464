package accounts_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// A client sends by name over one connection, and with the new password once it
// was changed, without a restart.
func TestClientSendsByName(t *testing.T) {
	t.Parallel()
	server := smtptest.NewServer(smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "first", "bob": "second"}}})
	defer server.Close()
	host, port, err := net.SplitHostPort(server.Addr())
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	dir, ctx := t.TempDir(), t.Context()
	e := accounts.Entry{Name: "work", Host: host, Port: number, TLS: smtp.TLSNone, Username: "ann", Rates: []string{"none"}}
	other := open(t, dir)
	must(t, other.Add(ctx, e, "first"))
	client := kaizen.New(kaizen.Config{Accounts: open(t, dir)})
	defer client.Close()
	send := func() {
		t.Helper()
		receipt, err := client.Send(ctx, kaizen.Account{Name: "work"}, &message.Message{From: "ann@example.com", To: []string{"bob@example.net"}, Text: "x"})
		if err != nil || receipt.Account != "work" {
			t.Fatal(receipt, err)
		}
	}
	send()
	send()
	if n := server.Stats().Connections; n != 1 {
		t.Error(n, "connections")
	}
	e.Username = "bob"
	must(t, other.Put(ctx, e))
	must(t, other.SetSecret(ctx, "work", "second"))
	send()
	if n := server.Stats().Connections; n != 2 {
		t.Error(n, "connections")
	}
	_, err = client.Send(ctx, kaizen.Account{Name: "wrok"}, &message.Message{From: "ann@example.com", To: []string{"bob@example.net"}, Text: "x"})
	if err == nil || !strings.Contains(err.Error(), `did you mean "work"?`) {
		t.Error(err)
	}
}

func BenchmarkAccount(b *testing.B) {
	s := open(b, b.TempDir())
	must(b, s.Add(b.Context(), work(), secret))
	for b.Loop() {
		if _, err := s.Account(b.Context(), "work"); err != nil {
			b.Fatal(err)
		}
	}
}
