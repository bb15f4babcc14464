// Command child queues and delivers until the crash tests kill it.
//
//	child work -dir DIR -server HOST:PORT [-shaky HOST:PORT] [-deliver] < letters > events
//	child dump -dir DIR > events
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to do: work or dump")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	dir := flags.String("dir", "", "the queue's folder")
	server := flags.String("server", "", "host:port of the server")
	shaky := flags.String("shaky", "", "host:port of the account shaky")
	deliver := flags.Bool("deliver", false, "deliver, until the input has ended and nothing waits")
	callers := flags.Int("callers", 16, "how many put at once")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := sqlite.Open(*dir, sqlite.Options{Logger: logger})
	if err != nil {
		return err
	}
	defer store.Close()
	ctx := context.Background()
	if args[0] == "dump" {
		return dump(ctx, store)
	}
	client := kaizen.New(kaizen.Config{Queue: store, Accounts: accounts{*server, *shaky}, Logger: logger})
	defer client.Close()
	w := worker{client: client, store: store, callers: *callers}
	if *deliver {
		return w.deliver(ctx)
	}
	return w.put(ctx)
}

// accounts are all on the same server, whatever their name, but for one.
type accounts struct{ server, shaky string }

func (x accounts) Account(_ context.Context, name string) (kaizen.Account, error) {
	server := x.server
	if name == task.Shaky {
		server = x.shaky
	}
	a, err := kaizen.ParseURL("smtp://" + server + "?tls=none&rate=none&connections=4")
	a.Name = name
	a.Timeouts.Connect, a.Timeouts.Final = 5*time.Second, 5*time.Second
	return a, err
}

// say writes a whole line at once: what is said before the process is killed is
// said, and nothing is said half.
func say(e task.Event) {
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}
