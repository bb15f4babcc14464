package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/bench/sink"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/smtp"
)

// server is the sink, as a process of its own.
type server struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	address string
}

func beSink() error { return sink.Run(os.Stdin, os.Stdout, 0, false) }

func startSink(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{process: exec.CommandContext(ctx, self, "drain", "-sink")}
	s.process.Stderr = os.Stderr
	if s.in, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.out = json.NewDecoder(bufio.NewReader(out))
	var first sink.Announcement
	err = s.out.Decode(&first)
	s.address = first.Address
	return s, err
}

func (s *server) close() {
	s.in.Close()
	_ = s.process.Wait()
}

// account is one at the sink, without limits but for what is given.
func (s *server) account(name string, rates ...kaizen.Rate) kaizen.Account {
	host, port, _ := net.SplitHostPort(s.address)
	number, _ := strconv.Atoi(port)
	if rates == nil {
		rates = kaizen.NoRate()
	}
	return kaizen.Account{Name: name, Host: host, Port: number, TLS: smtp.TLSNone,
		Limits: kaizen.Limits{Connections: 5, MessagesPerConnection: -1, Rates: rates}}
}

// resolver finds accounts by a function.
type resolver func(name string) kaizen.Account

// Account finds an account.
func (r resolver) Account(_ context.Context, name string) (kaizen.Account, error) {
	return r(name), nil
}

// fresh opens a new queue in a folder of its own.
func (s *settings) fresh(name string) (*sqlite.Store, error) {
	folder := filepath.Join(s.folder, name)
	if err := os.RemoveAll(folder); err != nil {
		return nil, err
	}
	return sqlite.Open(folder, sqlite.Options{})
}

// letter is a message of the size wanted.
func (s *settings) letter() []byte {
	var b bytes.Buffer
	b.WriteString("From: ann@example.com\r\nTo: bob@example.net\r\nSubject: A letter\r\nMessage-ID: <letter@example.com>\r\n\r\n")
	for b.Len() < s.size {
		b.WriteString("All work and no play makes Jack a dull boy, says the proverb.\r\n")
	}
	return b.Bytes()
}

func submission(lane string, p queue.Priority, letter []byte) queue.Submission {
	return queue.Submission{Job: queue.Job{Lane: lane, Priority: p, Envelope: smtp.Envelope{From: "ann@example.com"},
		Recipients: queue.To(smtp.To("bob@example.net")), Subject: "A letter", MessageID: "letter@example.com",
		Expires: time.Now().Add(48 * time.Hour)}, Body: queue.Octets(letter)}
}

// fill puts n jobs, in large batches.
func fill(ctx context.Context, store queue.Store, n int, lane func(int) string, p queue.Priority, letter []byte) error {
	for from := 0; from < n; from += 1000 {
		batch := make([]queue.Submission, 0, 1000)
		for i := from; i < min(from+1000, n); i++ {
			batch = append(batch, submission(lane(i), p, letter))
		}
		if _, err := store.Put(ctx, time.Now(), batch); err != nil {
			return err
		}
	}
	return nil
}

func prepared(letter []byte, p queue.Priority) *kaizen.Prepared {
	return &kaizen.Prepared{Envelope: kaizen.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")},
		Content: smtp.Bytes(letter), Priority: p}
}

func always(lane string) func(int) string { return func(int) string { return lane } }

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// at is a quantile.
func at(q float64, values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// peakMemory is the most memory that this process has had, in MB; 0 if unknown.
func peakMemory() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
