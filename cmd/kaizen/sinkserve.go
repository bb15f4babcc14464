package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// run serves until ctx ends or enough messages have come.
func (f *sinkFlags) run(ctx context.Context, app *app, config smtptest.Config) error {
	server, err := smtptest.Listen(config)
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return withCode(exitCantCreate, fmt.Errorf("--save: %w", err))
	}
	if err != nil {
		return withCode(exitUnavailable, fmt.Errorf("listen on %s: %w", f.listen, err))
	}
	defer server.Close()
	if err := f.announce(app.stderr, server); err != nil {
		return err
	}
	f.serve(ctx, app.stderr, server)
	stats := server.Stats()
	if err := server.Close(); err != nil {
		return err
	}
	if f.transcript {
		for _, c := range server.Connections() {
			fmt.Fprintf(app.stderr, "-- connection %d\n%s", c.Number, server.Transcript(c.Number))
		}
	}
	return printSinkStats(app.stdout, stats)
}

// serve follows the schedule of rates until it is time to end.
func (f *sinkFlags) serve(ctx context.Context, stderr io.Writer, server *smtptest.Server) {
	following, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { follow(following, f.schedule, stderr, server) })
	f.wait(ctx, stderr, server)
	stop()
	done.Wait()
}

const (
	// sinkGlance is how often the counters are looked at: cheaper than a hook,
	// for which the server would keep each content.
	sinkGlance = 10 * time.Millisecond
	// goodbye is how long clients have, beyond the latency, to read their last
	// reply and to leave.
	goodbye = 200 * time.Millisecond
)

// wait returns when ctx ends or --exit-after is reached and the senders have
// left, or have had time to.
func (f *sinkFlags) wait(ctx context.Context, stderr io.Writer, server *smtptest.Server) {
	v := &f.vocabulary
	if f.exitAfter == 0 && v.exitAfterConnections == 0 && !v.counters {
		<-ctx.Done()
		return
	}
	glance := time.NewTicker(sinkGlance)
	defer glance.Stop()
	var end time.Time
	var shown counters
	if v.counters {
		defer func() { shown.show(stderr, server.Stats(), shown.last.Add(time.Second)) }()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-glance.C:
			stats := server.Stats()
			if v.counters {
				shown.show(stderr, stats, now)
			}
			if !f.enough(stats) {
				continue
			}
			if end.IsZero() {
				end = now.Add(goodbye + 2*f.latency) // a reply, then the client's answer
			}
			if stats.Open == 0 || now.After(end) {
				return
			}
		}
	}
}

func (f *sinkFlags) enough(stats smtptest.Stats) bool {
	connections := f.vocabulary.exitAfterConnections
	return f.exitAfter > 0 && int64(stats.Accepted) >= f.exitAfter ||
		connections > 0 && int64(stats.Connections-stats.Open) >= connections
}

// counters are shown when they have changed, once a second at most.
type counters struct {
	text string
	last time.Time
}

func (c *counters) show(w io.Writer, stats smtptest.Stats, now time.Time) {
	text := fmt.Sprintf("connections %d, open %d, messages %d, refused %d", stats.Connections, stats.Open, stats.Accepted, stats.Rejected)
	if text == c.text || now.Sub(c.last) < time.Second {
		return
	}
	c.text, c.last = text, now
	fmt.Fprintln(w, text)
}

// sinkStats is what a sink prints at its end.
type sinkStats struct {
	Accepted          int   `json:"accepted"`
	Rejected          int   `json:"rejected"`
	Mails             int   `json:"mail_commands"`
	Commands          int   `json:"commands"`
	Connections       int   `json:"connections"`
	PeakConnections   int   `json:"peak_connections"`
	MostMessagesOnOne int   `json:"most_messages_on_a_connection"`
	LoginsAccepted    int   `json:"logins_accepted"`
	LoginsRefused     int   `json:"logins_refused"`
	OctetsIn          int64 `json:"octets_in"`
	OctetsOut         int64 `json:"octets_out"`
	RoundTrips        int64 `json:"round_trips"`
}

func printSinkStats(w io.Writer, s smtptest.Stats) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(sinkStats{Accepted: s.Accepted, Rejected: s.Rejected, Mails: s.Mails, Commands: s.Commands,
		Connections: s.Connections, PeakConnections: s.Peak, MostMessagesOnOne: s.MostMessages,
		LoginsAccepted: s.LoginsAccepted, LoginsRefused: s.LoginsRefused,
		OctetsIn: s.OctetsIn, OctetsOut: s.OctetsOut, RoundTrips: s.RoundTrips})
}

// announce tells that the server is ready, and writes what clients need before
// that.
func (f *sinkFlags) announce(w io.Writer, server *smtptest.Server) error {
	if f.writeCA != "" {
		if err := os.WriteFile(f.writeCA, server.CertificatePEM(), 0o644); err != nil {
			return withCode(exitCantCreate, err)
		}
	}
	host, _, err := net.SplitHostPort(server.Addr())
	if err != nil || !net.ParseIP(host).IsLoopback() {
		fmt.Fprintln(w, "warning: not only this machine can connect")
	}
	_, err = fmt.Fprintf(w, "listening on %s\n", server.Addr())
	return err
}
