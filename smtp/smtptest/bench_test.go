package smtptest_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// BenchmarkServer measures the server with a bare client: 5 connections, 2 KB
// messages, the envelope of the next one behind the body of the last.
func BenchmarkServer(b *testing.B) {
	for _, ahead := range []struct {
		name  string
		depth int // messages per write
	}{{"look-ahead", 1}, {"bdat-8", 8}} {
		for _, network := range networks {
			b.Run(ahead.name+"/"+network, func(b *testing.B) { flood(b, network, ahead.depth) })
		}
	}
}

const (
	benchConnections = 5
	envelope         = "RSET\r\nMAIL FROM:<sender@example.com>\r\nRCPT TO:<recipient@example.net>\r\n"
)

var body = "Message-ID: <bench@example.com>\r\nSubject: bench\r\n\r\n" +
	strings.Repeat(strings.Repeat("x", 76)+"\r\n", 25)

func flood(b *testing.B, network string, depth int) {
	s := smtptest.NewServer(smtptest.Config{Network: network, CountOnly: true})
	defer s.Close()
	b.SetBytes(int64(len(body)))
	b.ResetTimer()
	var clients sync.WaitGroup
	for range benchConnections {
		clients.Go(func() { client(b, s, (b.N+benchConnections-1)/benchConnections, depth) })
	}
	clients.Wait()
	b.ReportMetric(float64(s.Stats().Accepted)/b.Elapsed().Seconds(), "msgs/s")
}

func client(b *testing.B, s *smtptest.Server, messages, depth int) {
	conn, err := s.DialContext(context.Background(), "", "")
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	first := "EHLO bench\r\n"
	flight := []byte(body + ".\r\n" + envelope + "DATA\r\n")
	replies := 5
	if depth > 1 {
		one := envelope + "BDAT " + strconv.Itoa(len(body)) + " LAST\r\n" + body
		flight, replies = bytes.Repeat([]byte(one), depth), 4*depth
	}
	reader := replyReader{conn: conn, buf: make([]byte, 16<<10)}
	reader.skip(1)
	io.WriteString(conn, first)
	reader.skip(1)
	if depth == 1 {
		io.WriteString(conn, envelope+"DATA\r\n")
		reader.skip(4)
	}
	for range (messages + depth - 1) / depth {
		conn.Write(flight)
		if err := reader.skip(replies); err != nil {
			b.Error(err)
			return
		}
	}
}

// replyReader counts last lines of replies.
type replyReader struct {
	conn net.Conn
	buf  []byte
	rest []byte
}

func (r *replyReader) skip(replies int) error {
	for replies > 0 {
		i := bytes.IndexByte(r.rest, '\n')
		if i < 0 {
			kept := copy(r.buf, r.rest)
			n, err := r.conn.Read(r.buf[kept:])
			r.rest = r.buf[:kept+n]
			if err != nil {
				return err
			}
			continue
		}
		if r.rest[3] == ' ' {
			replies--
		}
		r.rest = r.rest[i+1:]
	}
	return nil
}
