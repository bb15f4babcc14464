// Command idle measures the heap that idle pooled connections hold: it opens
// them to a running server ("kaizen sink"), sends a message over each, lets
// them rest, and divides.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/bench/driver"
	"github.com/kaizenmail/kaizen/smtp"
)

func main() {
	server := flag.String("server", "smtp://127.0.0.1:2525?tls=none", "connection URL; its certificate is not verified")
	n := flag.Int("connections", 1000, "idle connections")
	flag.Parse()
	if err := run(*server, *n); err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func run(server string, n int) error {
	account, err := kaizen.ParseURL(server)
	if err != nil {
		return err
	}
	account.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	account.Limits = kaizen.Limits{Connections: n, Rates: kaizen.NoRate()}
	account.MinIdle = n
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	content := smtp.Bytes(driver.Letter().Raw)
	message := func() kaizen.Message {
		return &kaizen.Prepared{Envelope: kaizen.Envelope{From: driver.Sender, To: smtp.To(driver.Recipient)}, Content: content}
	}
	errs, begin := make(chan error, 4*n), make(chan struct{})
	for range 4 * n { // the runtime keeps what it needs for as many goroutines
		go func() { <-begin; errs <- nil }()
	}
	close(begin)
	for range 4 * n {
		<-errs
	}
	before := heap()
	for range 4 * n {
		go func() {
			_, err := client.Send(ctx, account, message())
			errs <- err
		}()
	}
	for range 4 * n {
		if err := <-errs; err != nil {
			return err
		}
	}
	for client.Stats()[0].Idle < n && ctx.Err() == nil {
		runtime.Gosched()
	}
	idle := client.Stats()[0].Idle
	used := heap() - before
	fmt.Printf("%d idle connections hold %d octets of heap each; %d goroutines\n", idle, used/int64(max(idle, 1)), runtime.NumGoroutine())
	return nil
}

func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
