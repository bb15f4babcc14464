package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenprom"
)

// metricsFlag is where to serve metrics, as it was written; empty: nowhere.
type metricsFlag string

func (f *metricsFlag) bind(flags *pflag.FlagSet) {
	flags.Var(f, "metrics", "serve metrics for Prometheus at this `ADDR`, a port of this machine (9464) or host:port")
}

// Set takes a port, or host:port. Without a host it is this machine alone:
// who wants others to read says so (0.0.0.0:9464).
func (f *metricsFlag) Set(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = "", strings.TrimPrefix(s, ":")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is neither a port nor host:port", s)
	}
	*f = metricsFlag(net.JoinHostPort(host, port))
	return nil
}

func (f *metricsFlag) String() string { return string(*f) }

// Type is how help pages call the value.
func (f *metricsFlag) Type() string { return "string" }

// metricsServer serves metrics until it is closed.
type metricsServer struct {
	http   http.Server
	served chan error
}

// metricsGoodbye is how long a scrape may take when the program ends.
const metricsGoodbye = 2 * time.Second

// serveMetrics serves the client's metrics, and others, at that address and says
// where. It returns nil, which can be closed, if there is no address.
func (a *app) serveMetrics(address metricsFlag, client *kaizen.Client, others ...prometheus.Collector) (*metricsServer, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", string(address))
	if err != nil {
		return nil, withCode(exitUnavailable, fmt.Errorf("serve metrics: %w", err))
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		fmt.Fprintln(a.stderr, a.yellow("kaizen: warning:"), "not only this machine can read the metrics")
	}
	s := &metricsServer{served: make(chan error, 1)}
	s.http.Handler = metricsHandler(append(others, kaizenprom.New(client, kaizenprom.Options{}))...)
	s.http.ReadHeaderTimeout, s.http.IdleTimeout = 5*time.Second, time.Minute
	go func() { s.served <- s.http.Serve(listener) }()
	fmt.Fprintf(a.stderr, "metrics at http://%s/metrics\n", listener.Addr())
	return s, nil
}

// metricsHandler shows what is collected, and the process with it.
func metricsHandler(shown ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(shown...)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return mux
}

// close lets a scrape that is going on finish, and returns why serving had ended
// before, if it had.
func (s *metricsServer) close() error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), metricsGoodbye)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // a reader that does not read is no failure of ours
	}
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		return withCode(exitIO, fmt.Errorf("serve metrics: %w", err))
	}
	return nil
}
