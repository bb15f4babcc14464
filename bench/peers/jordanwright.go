package peers

import (
	"bytes"
	"context"
	"time"

	"github.com/jordan-wright/email"

	"github.com/kaizenmail/kaizen/bench/driver"
)

func sendJordanWright(_ context.Context, to driver.Target, n, conns int) error {
	pool, err := email.NewPool(to.Address, conns, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	return driver.PerConnection(n, conns, func(share int) error {
		for range share {
			m, err := jordanWrightMessage(to.Message)
			if err != nil {
				return err
			}
			if err := pool.Send(m, time.Minute); err != nil {
				return err
			}
		}
		return nil
	})
}

func jordanWrightMessage(content driver.Message) (*email.Email, error) {
	m := email.NewEmail()
	m.From = driver.Sender
	m.To = []string{driver.Recipient}
	m.Subject = content.Subject
	m.Text = []byte(content.Text)
	m.HTML = []byte(content.HTML)
	if len(content.Attachment) == 0 {
		return m, nil
	}
	_, err := m.Attach(bytes.NewReader(content.Attachment), "data.bin", "application/octet-stream")
	return m, err
}
