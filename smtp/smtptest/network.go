package smtptest

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

func listen(c Config) (net.Listener, error) {
	switch c.Network {
	case "", TCP:
		addr := c.Addr
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		return net.Listen("tcp", addr)
	case Unix:
		return net.Listen("unix", c.Addr)
	case Memory:
		return newMemoryListener(c), nil
	}
	return nil, fmt.Errorf("unknown network %q: want %q, %q or %q", c.Network, TCP, Unix, Memory)
}

// memoryListener hands the server's ends of pipes to Accept.
type memoryListener struct {
	addr   memoryAddr
	buffer int
	dialed chan *PipeConn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener(c Config) *memoryListener {
	l := &memoryListener{addr: "localhost:25", buffer: c.Buffer, dialed: make(chan *PipeConn), closed: make(chan struct{})}
	if c.TLS == TLSImplicit {
		l.addr = "localhost:465"
	}
	if c.Addr != "" {
		l.addr = memoryAddr(c.Addr)
	}
	if l.buffer == 0 {
		l.buffer = defaultBuffer
	}
	return l
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialed:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// DialContext connects to the server, whatever the network and the address. The
// connection takes one Latency to open. On the memory network it is a *PipeConn.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := s.travel(ctx); err != nil {
		return nil, err
	}
	memory, ok := s.listener.(*memoryListener)
	if !ok {
		return new(net.Dialer).DialContext(ctx, s.listener.Addr().Network(), s.Addr())
	}
	return memory.dial(ctx)
}

// travel waits for one round trip of the link.
func (s *Server) travel(ctx context.Context) error {
	if s.config.Latency <= 0 {
		return nil
	}
	arrival := time.NewTimer(s.config.Latency)
	defer arrival.Stop()
	select {
	case <-arrival.C:
		return nil
	case <-ctx.Done():
		return &net.OpError{Op: "dial", Net: s.listener.Addr().Network(), Addr: s.listener.Addr(), Err: ctx.Err()}
	}
}

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := PipeOf(l.buffer)
	client.remote, server.local = l.addr, l.addr
	var err error
	select {
	case l.dialed <- server:
		return client, nil
	case <-l.closed:
		err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, &net.OpError{Op: "dial", Net: Memory, Addr: l.addr, Err: err}
}
