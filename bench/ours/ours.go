// Package ours is Kaizen as an application uses it: a client whose pool many
// goroutines share.
package ours

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/bench/driver"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

// sendersPerConnection keeps a message waiting for each connection at all times.
const sendersPerConnection = 4

// Drivers are Kaizen with a finished message, at each level, and composing each
// message anew.
func Drivers() []driver.Driver {
	return []driver.Driver{
		ours("kaizen lock-step", driver.LockStep, smtp.LevelLockStep, finished),
		ours("kaizen group", driver.Group, smtp.LevelGroup, finished),
		ours("kaizen", driver.LookAhead, smtp.LevelLookAhead, finished),
		ours("kaizen, composing", driver.LookAhead, smtp.LevelLookAhead, composed),
	}
}

// ours keeps its client from turn to turn, so that what it learned about the
// server stays, as in an application; connections are closed after each turn.
func ours(name string, level driver.Level, limit smtp.Level, make func(driver.Target) func() kaizen.Message) driver.Driver {
	client := kaizen.New(kaizen.Config{})
	return driver.Driver{Name: name, Level: level, Composes: name == "kaizen, composing",
		Send: func(ctx context.Context, to driver.Target, n, conns int) error {
			account := account(to, conns, limit)
			if err := send(ctx, client, account, n, conns*sendersPerConnection, make(to)); err != nil {
				return err
			}
			return client.CloseAccount(ctx, account)
		}}
}

func account(to driver.Target, conns int, level smtp.Level) kaizen.Account {
	host, port, _ := net.SplitHostPort(to.Address)
	number, _ := strconv.Atoi(port)
	a := kaizen.Account{Host: host, Port: number, TLS: smtp.TLSNone, MaxLevel: level,
		Limits: kaizen.Limits{Connections: conns, MessagesPerConnection: -1, Rates: kaizen.NoRate()}}
	if roots := to.Roots; roots != nil {
		a.TLS, a.TLSConfig = smtp.TLSImplicit, &tls.Config{RootCAs: roots, ServerName: "localhost"}
	}
	return a
}

func send(ctx context.Context, client *kaizen.Client, account kaizen.Account, n, senders int, next func() kaizen.Message) error {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make(chan error, senders)
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := client.Send(ctx, account, next()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

func finished(to driver.Target) func() kaizen.Message {
	content := smtp.Bytes(to.Message.Raw)
	envelope := kaizen.Envelope{From: driver.Sender, To: smtp.To(driver.Recipient)}
	return func() kaizen.Message { return &kaizen.Prepared{Envelope: envelope, Content: content} }
}

func composed(to driver.Target) func() kaizen.Message {
	m := to.Message
	return func() kaizen.Message {
		c := &message.Message{From: driver.Sender, To: []string{driver.Recipient}, Subject: m.Subject, Text: m.Text, HTML: m.HTML}
		if len(m.Attachment) > 0 {
			c.Attachments = []message.Attachment{{Name: "data.bin", Data: m.Attachment}}
		}
		return c
	}
}
