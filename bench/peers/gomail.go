package peers

import (
	"bytes"
	"context"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"

	"github.com/kaizenmail/kaizen/bench/driver"
)

func sendGoMail(ctx context.Context, to driver.Target, n, conns int) error {
	return goMail(ctx, to, n, conns)
}

func sendGoMailTuned(ctx context.Context, to driver.Target, n, conns int) error {
	return goMail(ctx, to, n, conns, mail.WithoutNoop(), mail.WithoutRset())
}

func goMail(ctx context.Context, to driver.Target, n, conns int, options ...mail.Option) error {
	host, port, err := net.SplitHostPort(to.Address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	options = append(options, mail.WithPort(number), mail.WithTLSPolicy(mail.NoTLS))
	if to.Roots != nil {
		options = append(options, mail.WithSSL(), mail.WithTLSConfig(to.TLS()))
	}
	return driver.PerConnection(n, conns, func(share int) error {
		c, err := mail.NewClient(host, options...)
		if err != nil {
			return err
		}
		if err := c.DialWithContext(ctx); err != nil {
			return err
		}
		for range share {
			m, err := goMailMessage(to.Message)
			if err != nil {
				return err
			}
			if err := c.Send(m); err != nil {
				return err
			}
		}
		return c.Close()
	})
}

func goMailMessage(content driver.Message) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := m.From(driver.Sender); err != nil {
		return nil, err
	}
	if err := m.To(driver.Recipient); err != nil {
		return nil, err
	}
	m.Subject(content.Subject)
	m.SetBodyString(mail.TypeTextPlain, content.Text)
	m.AddAlternativeString(mail.TypeTextHTML, content.HTML)
	if len(content.Attachment) == 0 {
		return m, nil
	}
	return m, m.AttachReader("data.bin", bytes.NewReader(content.Attachment))
}
