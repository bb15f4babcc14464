package kaizen

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Trace is a set of hooks into what a [Client] does, as
// [net/http/httptrace.ClientTrace] is for HTTP. Any hook may be nil. Hooks are
// called from many goroutines at once; those who send or connect wait for them,
// so they must be quick. What they are given must not be changed. It holds no
// credential, but addresses, and the servers' words.
//
// Package kaizenotel makes spans of them. For the commands of a connection see
// [Account.Trace].
type Trace struct {
	// SendStart is called when a message is handed over, before anything else is
	// done. The context that it returns is the message's from there on: an
	// [AccountResolver] and SendDone get it.
	SendStart func(ctx context.Context, info SendStartInfo) context.Context
	// SendDone is called with what the sender is about to be told.
	SendDone func(ctx context.Context, info SendDoneInfo)
	// DialDone is called when a pool has opened a connection, or failed to. A dial
	// belongs to no message: those that wait take whatever becomes free first.
	// [smtp.Result.Opened] tells which transaction was the first on a connection.
	DialDone func(info DialDoneInfo)
}

// SendStartInfo tells of a message that was handed over.
type SendStartInfo struct {
	Account string  // its name, or what stands for it; a chain; empty if Config.Router chooses
	Server  string  // host:port; empty if the account is to be found by its name
	Message Message // as it was given; it may be nil
}

// SendDoneInfo tells how a Send ended.
type SendDoneInfo struct {
	Account string
	Server  string    // host:port; empty if the account was not found
	Message *Prepared // nil if it could not be prepared
	Receipt *Receipt  // nil if no server was asked, or none had the last word
	Err     error     // nil if every recipient was accepted, else an [*Error]

	Waited Waited // in line, also without a receipt
	// Repeated are tries that failed for reasons of their connections and were
	// repeated on others; they are not among the receipt's transactions.
	Repeated []*smtp.Result
}

// DialDoneInfo tells of a dial: name look-up, TCP, TLS, greeting and EHLO. The
// login comes later.
type DialDoneInfo struct {
	Account  string
	Server   string // host:port
	Started  time.Time
	Duration time.Duration
	Info     *smtp.Info // how the connection came about; nil beside an error
	Err      error      // nil or an [*smtp.Error]
}

// observed is what only hooks are told.
type observed struct {
	server   string
	message  *Prepared
	waited   Waited
	repeated []*smtp.Result
}

// sendTraced is Send with hooks.
func (c *Client) sendTraced(ctx context.Context, account Account, m Message) (receipt *Receipt, err error) {
	t := c.config.Trace
	start := SendStartInfo{Account: account.label(), Message: m}
	if c.several(&account) {
		start.Account = account.Name
	}
	if account.complete() {
		start.Server = account.address()
	}
	if t.SendStart != nil {
		ctx = t.SendStart(ctx, start)
	}
	seen := observed{server: start.Server}
	var a Account
	if c.several(&account) {
		if receipt, err = c.sendAlong(ctx, account.Name, m, &seen); receipt != nil {
			start.Account, seen.server = receipt.Account, receipt.Transactions[len(receipt.Transactions)-1].Server
		}
	} else if a, err = c.resolve(ctx, account); err == nil {
		start.Account, seen.server = a.label(), a.address()
		receipt, err = c.send(ctx, &a, m, &seen)
	}
	if t.SendDone != nil {
		t.SendDone(ctx, SendDoneInfo{Account: start.Account, Server: seen.server, Message: seen.message,
			Receipt: receipt, Err: err, Waited: seen.waited, Repeated: seen.repeated})
	}
	return receipt, err
}

// dialTraced is smtp.Dial with the hook.
func (t *Trace) dialTraced(ctx context.Context, account string, config smtp.Config) (*smtp.Conn, error) {
	began := time.Now()
	conn, err := smtp.Dial(ctx, config)
	if t == nil || t.DialDone == nil {
		return conn, err
	}
	done := DialDoneInfo{Account: account, Server: config.Address(), Started: began, Duration: time.Since(began), Err: err}
	if err == nil {
		info := conn.Info()
		done.Info = &info
	}
	t.DialDone(done)
	return conn, err
}
