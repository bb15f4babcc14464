package main

import (
	"context"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// What the provider of the document is like: 2 s until one is logged in (5 round
// trips, one more for AUTH, and the two delays), 0.1 s for a round trip.
const (
	demoRoundTrip     = 100 * time.Millisecond
	demoGreetingDelay = time.Second
	demoAuthDelay     = 400 * time.Millisecond
)

// demoServer is that provider, inside this process, on the loopback interface.
type demoServer struct {
	server *smtptest.Server
	speed  float64
}

const demoUser, demoPassword = "demo", "demo"

// startDemoServer starts one that is as many times faster than life.
func startDemoServer(speed float64) (*demoServer, error) {
	server, err := smtptest.Listen(smtptest.Config{
		TLS:           smtptest.TLSStartTLS,
		Auth:          &smtptest.Auth{Users: map[string]string{demoUser: demoPassword}, Mechanisms: []string{"PLAIN"}, Required: true},
		Latency:       faster(demoRoundTrip, speed),
		GreetingDelay: faster(demoGreetingDelay, speed),
		AuthDelay:     faster(demoAuthDelay, speed),
		CountOnly:     true,
	})
	if err != nil {
		return nil, withCode(exitUnavailable, fmt.Errorf("start the demo's own server: %w", err))
	}
	return &demoServer{server, speed}, nil
}

func faster(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) / speed)
}

// account has the limits of the document, which are the defaults; only the span
// of the rate is shortened as all else is.
func (s *demoServer) account() kaizen.Account {
	return kaizen.Account{Name: "demo", Host: "localhost", TLS: smtp.TLSStartTLS, TLSConfig: s.server.ClientTLS(),
		Username: demoUser, Password: demoPassword, DialContext: s.server.DialContext,
		Limits: kaizen.Limits{Connections: 5, MessagesPerConnection: 100,
			Rates: []kaizen.Rate{{Count: 10, Per: faster(time.Second, s.speed)}}}}
}

// demoTraffic is what the server saw.
type demoTraffic struct {
	connections int
	roundTrips  int64
	octets      int64 // both ways, TLS included
	accepted    int
}

func (s *demoServer) traffic() demoTraffic {
	stats := s.server.Stats()
	return demoTraffic{stats.Connections, stats.RoundTrips, stats.OctetsIn + stats.OctetsOut, stats.Accepted}
}

// demoSend is a way to send one message.
type demoSend func(ctx context.Context, m kaizen.Message) error

// singly opens a connection for each message.
func (s *demoServer) singly() (demoSend, func() error) {
	account := s.account()
	send := func(ctx context.Context, m kaizen.Message) error {
		_, err := kaizen.DialAndSend(ctx, account, m)
		return err
	}
	return send, func() error { return nil }
}

// pooled sends through a client that is closed with the second function.
func (s *demoServer) pooled(limited bool) (demoSend, func() error) {
	account := s.account()
	if !limited {
		account.Limits.Rates = kaizen.NoRate()
	}
	client := kaizen.New(kaizen.Config{})
	send := func(ctx context.Context, m kaizen.Message) error {
		_, err := client.Send(ctx, account, m)
		return err
	}
	return send, client.Close
}

func demoMessage(number int) kaizen.Message {
	return &message.Message{From: "Kaizen <kaizen@example.com>", To: []string{"you@example.com"},
		Subject: fmt.Sprintf("Message %d of the demo", number),
		Text:    filler(800), HTML: "<html><body><p>\n" + filler(1200) + "\n</p></body></html>\n"}
}
