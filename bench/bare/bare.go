// Package bare is the yardstick: at each level the least work a client can do.
// It prepares the octets, writes each flight at once and counts reply lines. It
// has no timeouts, no errors worth reading and no ambition to be right in any
// but the good case.
package bare

import (
	"bufio"
	"context"
	"fmt"
	"net"

	"github.com/kaizenmail/kaizen/bench/driver"
)

// Drivers are the bare client at each level.
func Drivers() []driver.Driver {
	return []driver.Driver{
		{Name: "bare lock-step", Level: driver.LockStep, Send: sendWith(lockStep)},
		{Name: "bare group", Level: driver.Group, Send: sendWith(group)},
		{Name: "bare look-ahead", Level: driver.LookAhead, Send: sendWith(lookAhead)},
	}
}

const (
	mail = "MAIL FROM:<" + driver.Sender + ">\r\n"
	rcpt = "RCPT TO:<" + driver.Recipient + ">\r\n"
	data = "DATA\r\n"
	rset = "RSET\r\n"
	end  = ".\r\n"
)

func lockStep(c conn, body []byte, n int) error {
	content := append(body[:len(body):len(body)], end...)
	flights := [][]byte{[]byte(mail), []byte(rcpt), []byte(data), content}
	for range n {
		for _, flight := range flights {
			if err := c.flight(flight, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

func group(c conn, body []byte, n int) error {
	content := append(body[:len(body):len(body)], end...)
	envelope := []byte(rset + mail + rcpt + data)
	for range n {
		if err := c.flight(envelope, 4); err != nil {
			return err
		}
		if err := c.flight(content, 1); err != nil {
			return err
		}
	}
	return nil
}

func lookAhead(c conn, body []byte, n int) error {
	if n == 0 {
		return nil
	}
	content := append(body[:len(body):len(body)], end...)
	both := append(content[:len(content):len(content)], rset+mail+rcpt+data...)
	if err := c.flight([]byte(mail+rcpt+data), 3); err != nil {
		return err
	}
	for range n - 1 {
		if err := c.flight(both, 5); err != nil {
			return err
		}
	}
	return c.flight(content, 1)
}

func sendWith(send func(c conn, body []byte, n int) error) func(context.Context, driver.Target, int, int) error {
	return func(ctx context.Context, to driver.Target, n, conns int) error {
		return driver.PerConnection(n, conns, func(share int) error {
			c, err := dial(ctx, to)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := send(c, to.Message.Raw, share); err != nil {
				return err
			}
			return c.flight([]byte("QUIT\r\n"), 1)
		})
	}
}

type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(ctx context.Context, to driver.Target) (conn, error) {
	nc, err := to.Dial(ctx)
	if err != nil {
		return conn{}, err
	}
	c := conn{nc, bufio.NewReader(nc)}
	err = c.replies(1)
	if err == nil {
		err = c.flight([]byte("EHLO bench.example.com\r\n"), 1)
	}
	if err != nil {
		nc.Close()
	}
	return c, err
}

// flight writes once and reads so many replies.
func (c conn) flight(octets []byte, replies int) error {
	if _, err := c.Write(octets); err != nil {
		return err
	}
	return c.replies(replies)
}

func (c conn) replies(n int) error {
	for n > 0 {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 || line[0] > '3' {
			return fmt.Errorf("server: %q", line)
		}
		if line[3] != '-' {
			n--
		}
	}
	return nil
}
