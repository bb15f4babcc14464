// Package sink is an SMTP server that accepts everything, keeps nothing and
// counts. It is written apart from Kaizen's own test server, so that each can
// check the other's figures, and it refuses commands in a wrong order.
package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Counts is what a sink has seen since it started.
type Counts struct {
	Connections int64 `json:"connections"`
	Messages    int64 `json:"messages"`
	Octets      int64 `json:"octets"` // of the messages, with their final dots
	// Flights is how often replies were sent with a transaction under way:
	// divided by Messages, the round trips that a message costs.
	Flights int64 `json:"flights"`
	// Refused is how many commands came in a wrong order or were not known.
	Refused int64 `json:"refused"`
}

// Sink serves until its context ends. Its fields are not to be changed then.
type Sink struct {
	// RoundTrip delays every reply, as a network does: what arrives at the same
	// time is answered at the same time, however much that is.
	RoundTrip time.Duration
	TLS       *tls.Config // implicit TLS; nil for none

	connections, messages, octets, flights, refused atomic.Int64
}

// Counts returns what was counted so far.
func (s *Sink) Counts() Counts {
	return Counts{s.connections.Load(), s.messages.Load(), s.octets.Load(), s.flights.Load(), s.refused.Load()}
}

// Serve accepts connections until ctx ends; then it closes listener and all
// connections and returns when their goroutines have ended.
func (s *Sink) Serve(ctx context.Context, listener net.Listener) error {
	var sessions sync.WaitGroup
	defer sessions.Wait()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		nc, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		s.connections.Add(1)
		sessions.Go(func() { s.serveConn(ctx, nc) })
	}
}

func (s *Sink) serveConn(ctx context.Context, nc net.Conn) {
	if s.RoundTrip > 0 {
		nc = newDelayed(nc, s.RoundTrip)
	}
	if s.TLS != nil {
		nc = tls.Server(nc, s.TLS)
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	newSession(s, nc).run() // an error is the client going away
}
