package smtp_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// mishaps are what can go wrong at a server, each in a small share of cases. A
// final reply that is left out while others follow is not among them: RFC 2920
// §3.1 has replies counted, so the next one must be taken for it.
var mishaps = []string{
	"mail:drop", "mail:reset", "mail:421", "mail:stall", "mail:extra", "mail:missing", "mail:reply=451 4.3.0 Later", "mail:reply=503 5.5.1 Bad sequence", "mail:vanish", "mail:drip",
	"rcpt:drop", "rcpt:reset", "rcpt:421", "rcpt:stall", "rcpt:extra", "rcpt:missing", "rcpt:reply=550 5.1.1 No", "rcpt:reply=452 4.5.3 Too many", "rcpt:vanish", "rcpt:extra=354 Go", "rcpt:oversize",
	"data:drop", "data:reset", "data:421", "data:stall", "data:extra", "data:missing", "data:reply=451 4.3.0 Later", "data:reply=554 5.5.0 Error: SMTP protocol synchronization", "data:vanish", "data:reply=250 2.0.0 Fine",
	"body@10:drop", "body@2000:reset", "body@40000:421", "body@70000:stall", "body@100000:drop",
	"final:drop", "final:reset", "final:421", "final:stall", "final:extra", "final:reply=451 4.3.0 Later", "final:reply=554 5.7.1 Spam", "final:vanish", "final:delay=20m", "final:reply=500 5.5.2 What",
	"after-final:drop", "after-final:reset", "after-final:stall", "after-final:vanish",
	"rset:drop", "rset:reset", "rset:421", "rset:extra", "rset:missing", "rset:reply=502 No", "rset:stall",
	"idle:drop", "idle:421",
}

// Whatever fails, every transaction is told once, and what it is told agrees
// with the server's accounts.
func TestRandomMishaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) { randomMishaps(t, seed, smtptest.Config{Faults: faultsOf(t, mishaps...)}) })
		})
	}
}

// The same in LMTP, where each recipient has its verdict. One reply too many
// among those to a content is taken for the next, as one too few is.
func TestRandomMishapsOfLMTP(t *testing.T) {
	t.Parallel()
	faults := slices.DeleteFunc(slices.Clone(mishaps), func(m string) bool { return m == "final:extra" })
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				randomMishaps(t, seed, smtptest.Config{LMTP: true, Faults: faultsOf(t, faults...)})
			})
		})
	}
}

func randomMishaps(t *testing.T, seed uint64, config smtptest.Config) {
	random := rand.New(rand.NewPCG(seed, 1))
	config.Seed = seed
	for i := range config.Faults {
		config.Faults[i].Prob = 0.0008
	}
	config.Quirks.StickyTransaction = seed%2 == 1
	config.Quirks.DataAlways = seed%3 == 1
	config.Quirks.MultilineReplies = seed%4 == 1
	r := newRig(t, config)
	seen := map[string]int{}
	for n := 0; n < 300; {
		if random.IntN(8) == 0 {
			r.config.Memory = new(smtp.Memory) // or all would end in lock-step
		}
		c, err := smtp.Dial(t.Context(), r.config)
		if err != nil {
			continue
		}
		for range 1 + random.IntN(3) {
			var batch []*parcel
			for range random.IntN(20) {
				n++
				batch = append(batch, randomLetter(random, n))
			}
			err = r.stream(c, batch...)
			for _, m := range batch {
				m.Content.Close() // what was never begun is its owner's again
				if m.result != nil {
					seen[fmt.Sprint(m.result.Outcome, m.result.Level)]++
				}
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			c.Quit(t.Context())
		}
		c.Close()
	}
	if len(seen) < 6 {
		t.Errorf("a dull run: %v", seen)
	}
}

// randomLetter is a letter of any size and shape, which its owner may spoil.
func randomLetter(random *rand.Rand, n int) *parcel {
	to := make([]string, 1+random.IntN(4))
	if random.IntN(30) == 0 {
		to = make([]string, 150)
	}
	for i := range to {
		to[i] = fmt.Sprintf("r%d@b.test", i)
	}
	text := textOf(n, []int{100, 100, 100, 3000, 60000, 200000}[random.IntN(6)])
	content := smtp.Bytes([]byte(text))
	switch random.IntN(12) {
	case 0:
		content = smtp.Reader(onlyReader{strings.NewReader(text)})
	case 1:
		content = smtp.WriterTo(strings.NewReader(text))
	case 2:
		content = smtp.Reader(onlyReader{&faulty{text: strings.NewReader(text), panics: random.IntN(2) == 0}})
	case 3:
		content = smtp.Open(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })
	}
	m := letterOf(n, content, to...)
	m.Chunking, m.AllOrNothing = random.IntN(4) == 0, random.IntN(4) == 0
	withdraw := func() { m.Withdraw() }
	switch random.IntN(60) {
	case 0:
		m.Commit = func() error { return errSource }
	case 1:
		m.Commit = func() error { withdraw(); return nil }
	case 2:
		after(&m.MailReplied, withdraw)
	case 3:
		m.Progress = func(int64) { withdraw() }
	case 4:
		withdraw()
	case 5:
		m.Envelope.From = "no address\n"
	}
	return m
}

// The same contents arrive the same at every level: random octets with dots,
// bare CR and LF, and many recipients.
func TestContentsArriveAlikeAtEveryLevel(t *testing.T) {
	t.Parallel()
	levels := []smtp.Level{smtp.LevelLockStep, smtp.LevelGroup, smtp.LevelLookAhead}
	for i := range 4 * len(levels) {
		level, chunking, lmtp := levels[i%len(levels)], i/len(levels)%2 == 1, i >= 2*len(levels)
		t.Run(fmt.Sprint(level, chunking, lmtp), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) { contentsArrive(t, level, chunking, lmtp) })
		})
	}
}

func contentsArrive(t *testing.T, level smtp.Level, chunking, lmtp bool) {
	r := newRig(t, smtptest.Config{KeepMessages: true, LMTP: lmtp})
	r.config.MaxLevel = level
	random := rand.New(rand.NewPCG(7, 7))
	var mails []*parcel
	var want []string
	for n := range 200 {
		size := random.IntN(300)
		if n%20 == 0 {
			size = random.IntN(200 << 10)
		}
		text := awkward(random, size)
		to := make([]string, 1+random.IntN(3))
		if n%50 == 0 {
			to = make([]string, 230)
		}
		for i := range to {
			to[i] = fmt.Sprintf("r%d@b.test", i)
		}
		m := letterOf(n, smtp.Bytes(text), to...)
		if n%3 == 0 {
			m = letterOf(n, smtp.Reader(onlyReader{strings.NewReader(string(text))}), to...)
		}
		m.id, m.Chunking, m.AllowLongLines = "", chunking, true
		mails, want = append(mails, m), append(want, string(canonical(text)))
	}
	if err := r.dial().Stream(t.Context(), queue(mails)); err != nil {
		t.Fatal(err)
	}
	arrived := r.server.Messages()
	if len(arrived) != len(mails) {
		t.Fatalf("%d messages arrived", len(arrived))
	}
	for i, m := range arrived {
		if want[i] == "" && chunking {
			want[i] = "\r\n"
		}
		if string(m.Data) != want[i] || len(m.To) != len(mails[i].Envelope.To) || m.From != mails[i].Envelope.From || m.Chunked != chunking {
			t.Errorf("message %d: %d octets for %d arrived, want %d for %d", i, len(m.Data), len(m.To), len(want[i]), len(mails[i].Envelope.To))
		}
		if got := mails[i].result; got.Octets != int64(len(want[i])) || got.Outcome != smtp.Accepted {
			t.Errorf("message %d: %v, %d octets, want %d", i, got.Outcome, got.Octets, len(want[i]))
		}
	}
}
