package smtptest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestPipeCloseAndReset(t *testing.T) {
	t.Parallel()
	client, server := smtptest.Pipe()
	if n, err := client.Peek(); n != 0 || err != nil {
		t.Errorf("silent: %d, %v", n, err)
	}
	io.WriteString(server, "last words")
	server.Close()
	if n, err := client.Peek(); n != 10 || err != nil {
		t.Errorf("before reading: %d, %v", n, err)
	}
	if b, err := io.ReadAll(client); string(b) != "last words" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if _, err := client.Peek(); err != io.EOF {
		t.Errorf("closed: %v", err)
	}
	if n, err := client.Write([]byte("hello")); n != 5 || err != nil {
		t.Errorf("first write to a closed end: %d, %v", n, err)
	}
	if _, err := client.Write([]byte("hello")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("second: %v", err)
	}
	client.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("own close: %v", err)
	}

	client, server = smtptest.Pipe()
	io.WriteString(server, "last words")
	server.Reset()
	b, err := io.ReadAll(client)
	if string(b) != "last words" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %q, %v", b, err)
	}
	if _, err := client.Peek(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("peek after reset: %v", err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write after reset: %v", err)
	}
}

func TestPipeHalfClose(t *testing.T) {
	t.Parallel()
	client, server := smtptest.Pipe()
	io.WriteString(client, "question")
	client.CloseWrite()
	if b, err := io.ReadAll(server); string(b) != "question" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	io.WriteString(server, "answer")
	server.Close()
	if b, err := io.ReadAll(client); string(b) != "answer" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestPipeDeadlinesAndBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := smtptest.PipeOf(8)
		began := time.Now()
		client.SetReadDeadline(began.Add(time.Second))
		_, err := client.Read(make([]byte, 1))
		var ne net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() || time.Since(began) != time.Second {
			t.Errorf("read: %v after %v", err, time.Since(began))
		}
		client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := client.Write(make([]byte, 20)); n != 8 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %d, %v", n, err)
		}
		client.SetDeadline(time.Time{})
		go io.Copy(io.Discard, server)
		if n, err := client.Write(make([]byte, 1000)); n != 1000 || err != nil {
			t.Errorf("write with a reader: %d, %v", n, err)
		}
		client.Close()
	})
}

func TestPipeUnbounded(t *testing.T) {
	t.Parallel()
	client, server := smtptest.PipeOf(-1)
	text := strings.Repeat("x", 1<<20)
	io.WriteString(client, text)
	client.Close()
	if b, err := io.ReadAll(server); string(b) != text || err != nil {
		t.Errorf("%d octets, %v", len(b), err)
	}
}
