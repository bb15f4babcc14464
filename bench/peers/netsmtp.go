// Package peers drives other mail clients for Go, each as its documentation
// recommends for many messages over kept connections.
package peers

import (
	"context"

	"net/smtp"

	"github.com/kaizenmail/kaizen/bench/driver"
)

// Drivers are the peers.
func Drivers() []driver.Driver {
	return []driver.Driver{
		{Name: "net/smtp", Level: driver.LockStep, Send: sendNetSMTP},
		{Name: "emersion/go-smtp", Level: driver.LockStep, Send: sendGoSMTP},
		{Name: "wneessen/go-mail", Level: driver.LockStep, Composes: true, Send: sendGoMail},
		{Name: "wneessen/go-mail, no NOOP, no RSET", Level: driver.LockStep, Composes: true, Send: sendGoMailTuned},
		{Name: "jordan-wright/email", Level: driver.LockStep, Composes: true, NoTLS: true, Send: sendJordanWright},
	}
}

func sendNetSMTP(ctx context.Context, to driver.Target, n, conns int) error {
	return driver.PerConnection(n, conns, func(share int) error {
		nc, err := to.Dial(ctx)
		if err != nil {
			return err
		}
		c, err := smtp.NewClient(nc, "localhost")
		if err != nil {
			nc.Close()
			return err
		}
		defer c.Close()
		for range share {
			if err := netSMTP(c, to.Message.Raw); err != nil {
				return err
			}
		}
		return c.Quit()
	})
}

func netSMTP(c *smtp.Client, message []byte) error {
	if err := c.Mail(driver.Sender); err != nil {
		return err
	}
	if err := c.Rcpt(driver.Recipient); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return w.Close()
}
