package peers

import (
	"bytes"
	"context"

	"github.com/emersion/go-smtp"

	"github.com/kaizenmail/kaizen/bench/driver"
)

func sendGoSMTP(ctx context.Context, to driver.Target, n, conns int) error {
	return driver.PerConnection(n, conns, func(share int) error {
		nc, err := to.Dial(ctx)
		if err != nil {
			return err
		}
		c := smtp.NewClient(nc)
		defer c.Close()
		for range share {
			if err := c.SendMail(driver.Sender, []string{driver.Recipient}, bytes.NewReader(to.Message.Raw)); err != nil {
				return err
			}
		}
		return c.Quit()
	})
}
