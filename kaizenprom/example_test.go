package kaizenprom_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenprom"
)

func Example() {
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(kaizenprom.New(client, kaizenprom.Options{}))

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Addr: "127.0.0.1:9464", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	fmt.Println("metrics on", server.Addr) // and server.ListenAndServe()
	// Output: metrics on 127.0.0.1:9464
}

// Accounts are called by their names in full, where that is no secret.
func ExampleOptions_accountLabel() {
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	prometheus.NewRegistry().MustRegister(kaizenprom.New(client, kaizenprom.Options{
		AccountLabel: func(name string) string { return name },
	}))
}
