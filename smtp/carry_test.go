package smtp_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/kaizenmail/kaizen/smtp"
)

const carrier = "elsewhere:1"

type mailFunc = func(context.Context, *smtp.Submission) (smtp.Reply, error)

// carried carries a transaction and returns its result.
func carried(t *testing.T, tx *smtp.Transaction, mail mailFunc) *smtp.Result {
	t.Helper()
	var results []*smtp.Result
	tx.Done = func(r *smtp.Result) { results = append(results, r) }
	if tx.Envelope.To == nil {
		tx.Envelope = smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net", "cid@example.net")}
	}
	err := smtp.Carry(t.Context(), carrier, tx, mail)
	if len(results) != 1 {
		t.Fatalf("Done was called %d times", len(results))
	}
	r := results[0]
	if r.Server != carrier || r.Err != nil && r.Err.Server != carrier {
		t.Errorf("server %q, %v", r.Server, r.Err)
	}
	blamed := r.Err != nil && (r.Err.Class == smtp.ClassConnect || r.Err.Class == smtp.ClassTimeout)
	if (err != nil) != blamed {
		t.Errorf("returned %v of %v", err, r.Err)
	}
	if len(r.Recipients) > 0 && (r.Err == nil) != (fates(r) == strings.Repeat("accepted ", len(r.Recipients))) {
		t.Errorf("error %v beside %s", r.Err, fates(r))
	}
	return r
}

func fates(r *smtp.Result) string {
	var b strings.Builder
	for _, to := range r.Recipients {
		b.WriteString(to.Outcome.String() + " ")
	}
	return b.String()
}

// reading reads everything and then answers.
func reading(reply smtp.Reply, err error) mailFunc {
	return func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
		if _, rerr := io.Copy(io.Discard, s.Content); rerr != nil {
			return smtp.Reply{}, rerr
		}
		return reply, err
	}
}

func plainNote(text string) *smtp.Transaction {
	return &smtp.Transaction{Content: smtp.Bytes([]byte(text))}
}

// The octets are those of the wire without dot-stuffing, however they are read.
func TestCarryGivesTheContent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Subject: x\n\n.\n..dots\ré\nend": "Subject: x\r\n\r\n.\r\n..dots\r\né\r\nend\r\n",
		"":                                "",
		"x":                               "x\r\n",
		textOf(3, 200_000):                strings.ReplaceAll(strings.ReplaceAll(textOf(3, 200_000), "\r\n", "\n"), "\n", "\r\n"),
	} {
		for name, how := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "one by one": iotest.OneByteReader, "half": iotest.HalfReader, "late EOF": iotest.DataErrReader,
		} {
			for _, c := range []*smtp.Content{smtp.Bytes([]byte(text)), smtp.Reader(onlyReader{strings.NewReader(text)})} {
				var got []byte
				committed, progress := 0, int64(0)
				tx := &smtp.Transaction{Content: c, Commit: func() error { committed++; return nil }, Progress: func(n int64) { progress = n }}
				r := carried(t, tx, func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
					if n, known := c.Size(); known && s.Size != n || !known && s.Size != -1 {
						t.Error("size", s.Size)
					}
					var err error
					got, err = io.ReadAll(how(s.Content))
					return smtp.Reply{}, err
				})
				want = strings.TrimSuffix(want, "\r\n")
				if string(got) != want && string(got) != want+"\r\n" || committed != 1 || r.Outcome != smtp.Accepted {
					t.Fatalf("%s: %d octets of %d, committed %d times: %v", name, len(got), len(want), committed, r.Err)
				}
				if r.Octets != int64(len(got)) || progress != r.Octets || r.Started.IsZero() || r.Duration <= 0 || r.Final.Code != 250 {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
	}
}

// Before Commit has agreed, the last octet is nobody's.
func TestCarryHoldsTheLastOctetBack(t *testing.T) {
	t.Parallel()
	got, refused := 0, errors.New("the disk is full")
	tx := plainNote("Subject: x\r\n\r\nbody\r\n")
	tx.Commit = func() error { return refused }
	r := carried(t, tx, func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
		for p := make([]byte, 1); ; {
			n, err := s.Content.Read(p)
			if got += n; err != nil {
				return smtp.Reply{}, err
			}
		}
	})
	if got >= 20 || r.Outcome != smtp.NotSent || !errors.Is(r.Err, refused) || r.Err.Class != smtp.ClassCanceled {
		t.Errorf("%d octets, %v", got, r.Err)
	}
}

func TestCarryOutcomes(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	full := smtp.Reply{Code: 452, Enhanced: smtp.EnhancedCode{4, 3, 1}, Text: "full\x1b[2J"}
	for name, c := range map[string]struct {
		mail    mailFunc
		outcome smtp.Outcome
		class   smtp.Class
	}{
		"accepted":            {reading(smtp.Reply{Code: 250, Text: "queued as 4F2"}, nil), smtp.Accepted, smtp.ClassNone},
		"refused for now":     {reading(full, nil), smtp.Rejected, smtp.ClassContent},
		"refused":             {reading(smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}}, nil), smtp.Rejected, smtp.ClassRecipient},
		"error after all":     {reading(smtp.Reply{}, broken), smtp.Unknown, smtp.ClassConnect},
		"error before":        {func(context.Context, *smtp.Submission) (smtp.Reply, error) { return smtp.Reply{}, broken }, smtp.NotSent, smtp.ClassConnect},
		"panic before":        {func(context.Context, *smtp.Submission) (smtp.Reply, error) { panic(broken) }, smtp.NotSent, smtp.ClassConnect},
		"nil without reading": {func(context.Context, *smtp.Submission) (smtp.Reply, error) { return smtp.Reply{}, nil }, smtp.Unknown, smtp.ClassProtocol},
		"says not sent":       {reading(smtp.Reply{}, &smtp.Error{Class: smtp.ClassRate}), smtp.NotSent, smtp.ClassRate},
		"says rejected":       {reading(smtp.Reply{}, &smtp.Error{Outcome: smtp.Rejected, Reply: smtp.Reply{Code: 454, Text: "rate limit"}}), smtp.Rejected, smtp.ClassRate},
		"says accepted":       {reading(smtp.Reply{}, &smtp.Error{Outcome: smtp.Accepted}), smtp.Unknown, smtp.ClassConnect},
		"panic after all": {func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
			_, _ = io.Copy(io.Discard, s.Content)
			panic("broken")
		}, smtp.Unknown, smtp.ClassConnect},
	} {
		replied := 0
		tx := plainNote("Subject: x\r\n\r\nbody\r\n")
		tx.MailReplied = func() { replied++ }
		r := carried(t, tx, c.mail)
		if r.Outcome != c.outcome || r.Err != nil && r.Err.Class != c.class || replied != 1 || r.Repeatable {
			t.Errorf("%s: %v %v, replied %d", name, r.Outcome, r.Err, replied)
		}
		if name == "accepted" && r.QueueID != "4F2" || strings.Contains(r.Final.Text, "\x1b") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What claims success without having read everything was at least committed to.
func TestCarryTellsOfWhatWasTakenInPart(t *testing.T) {
	t.Parallel()
	committed := 0
	tx := &smtp.Transaction{Content: smtp.Bytes([]byte(textOf(1, 1<<20))), Commit: func() error { committed++; return nil }}
	r := carried(t, tx, func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
		_, err := io.CopyN(io.Discard, s.Content, 100)
		return smtp.Reply{}, err
	})
	if r.Outcome != smtp.Unknown || committed != 1 {
		t.Errorf("%v, committed %d", r.Err, committed)
	}
}

func TestCarryRefusesBeforeItCalls(t *testing.T) {
	t.Parallel()
	long := smtp.Bytes([]byte("Subject: x\r\n\r\n" + strings.Repeat("x", 2000) + "\r\n"))
	used := smtp.Reader(onlyReader{iotest.ErrReader(errSource)})
	for name, tx := range map[string]*smtp.Transaction{
		"binary":       {Content: smtp.Bytes(nil), Binary: true},
		"a long line":  {Content: long},
		"a bad source": {Content: used},
		"an address":   {Content: smtp.Bytes(nil), Envelope: smtp.Envelope{To: smtp.To("two words@example.com")}},
		"nobody":       {Content: smtp.Bytes(nil), Envelope: smtp.Envelope{To: []smtp.Recipient{}}},
	} {
		replied := false
		tx.MailReplied = func() { replied = true }
		r := carried(t, tx, func(context.Context, *smtp.Submission) (smtp.Reply, error) {
			t.Error(name, "was carried")
			return smtp.Reply{}, nil
		})
		if r.Outcome != smtp.NotSent || r.Err == nil || !r.Started.IsZero() || replied {
			t.Errorf("%s: %v", name, r.Err)
		}
	}
	if r := carried(t, &smtp.Transaction{Content: long, AllowLongLines: true}, reading(smtp.Reply{}, nil)); r.Err != nil {
		t.Error(r.Err)
	}
}

// A source that fails on the way fails the message, whatever is said of it.
func TestCarrySourceFails(t *testing.T) {
	t.Parallel()
	content := func() *smtp.Content {
		return smtp.Reader(&faulty{text: strings.NewReader(textOf(2, 1<<20)[:200_000])})
	}
	r := carried(t, &smtp.Transaction{Content: content()}, reading(smtp.Reply{}, nil))
	if r.Outcome != smtp.NotSent || r.Err.Class != smtp.ClassContent || !errors.Is(r.Err, errSource) {
		t.Error(r.Err)
	}
	r = carried(t, &smtp.Transaction{Content: content()}, func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
		_, _ = io.Copy(io.Discard, s.Content)
		return smtp.Reply{Code: 250}, nil
	})
	if r.Outcome != smtp.Unknown || !errors.Is(r.Err, errSource) {
		t.Error(r.Err)
	}
}

func TestCarryRefusesRecipients(t *testing.T) {
	t.Parallel()
	no := smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "no such user"}
	refusing := func(places ...int) mailFunc {
		return func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
			for _, i := range places {
				s.Refuse(i, no)
			}
			return reading(smtp.Reply{}, nil)(ctx, s)
		}
	}
	r := carried(t, plainNote("x"), refusing(1))
	if fates(r) != "accepted rejected " || r.Outcome != smtp.Accepted || r.Err.Class != smtp.ClassRecipient || r.Err.Phase != smtp.PhaseRcpt {
		t.Error(fates(r), r.Err)
	}
	r = carried(t, plainNote("x"), refusing(0, 1))
	if fates(r) != "rejected rejected " || r.Outcome != smtp.Rejected || r.Recipients[0].Reply != no {
		t.Error(fates(r), r.Err)
	}
	r = carried(t, plainNote("x"), func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
		s.Refuse(0, no)
		return smtp.Reply{}, errSource
	})
	if fates(r) != "rejected not sent " || !errors.Is(r.Err, errSource) {
		t.Error(fates(r), r.Err)
	}
}

func TestCarryWithdrawn(t *testing.T) {
	t.Parallel()
	// Before.
	tx := plainNote("x")
	tx.Withdraw()
	r := carried(t, tx, func(context.Context, *smtp.Submission) (smtp.Reply, error) {
		t.Error("carried")
		return smtp.Reply{}, nil
	})
	if r.Outcome != smtp.NotSent || r.Err.Class != smtp.ClassCanceled {
		t.Error(r.Err)
	}
	// On the way: the context ends, and no octet follows.
	tx = &smtp.Transaction{Content: smtp.Bytes([]byte(textOf(1, 1<<20)))}
	r = carried(t, tx, func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
		if _, err := io.CopyN(io.Discard, s.Content, 100_000); err != nil {
			t.Error(err)
		}
		if !tx.Withdraw() {
			t.Error("too late")
		}
		<-ctx.Done()
		n, err := io.Copy(io.Discard, s.Content)
		if n > 64<<10 || err == nil {
			t.Errorf("%d octets more, %v", n, err)
		}
		return smtp.Reply{}, err
	})
	if r.Outcome != smtp.NotSent || r.Err.Class != smtp.ClassCanceled {
		t.Error(r.Err)
	}
	// Too late.
	tx = plainNote("x")
	r = carried(t, tx, func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
		reply, err := reading(smtp.Reply{}, nil)(ctx, s)
		if tx.Withdraw() || ctx.Err() != nil {
			t.Error("withdrawn after its last octet")
		}
		return reply, err
	})
	if r.Outcome != smtp.Accepted {
		t.Error(r.Err)
	}
}

// The content is not read any more when its submission is over, also by those who
// leave a reader behind.
func TestCarryEndsReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var late io.Reader
		begin, gone := make(chan struct{}), make(chan error)
		carried(t, &smtp.Transaction{Content: smtp.Bytes([]byte(textOf(1, 1<<20)))}, func(_ context.Context, s *smtp.Submission) (smtp.Reply, error) {
			late = s.Content
			go func() {
				<-begin
				_, err := io.Copy(io.Discard, late)
				gone <- err
			}()
			return smtp.Reply{}, errSource
		})
		close(begin)
		if err := <-gone; err == nil {
			t.Error("read after the end")
		}
	})
}

// The context of the caller's ends the hand-over; whether it was sent is known
// only before the last octet.
func TestCarryContextEnds(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		tx := plainNote("Subject: x\r\n\r\nbody\r\n")
		tx.Envelope = smtp.Envelope{To: smtp.To("bob@example.net")}
		var r *smtp.Result
		tx.Done = func(result *smtp.Result) { r = result }
		_ = smtp.Carry(ctx, carrier, tx, func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
			if whole {
				_, _ = io.Copy(io.Discard, s.Content)
			}
			cancel()
			<-ctx.Done()
			return smtp.Reply{}, ctx.Err()
		})
		want := map[bool]smtp.Outcome{false: smtp.NotSent, true: smtp.Unknown}[whole]
		if r.Outcome != want || r.Err.Class != smtp.ClassCanceled {
			t.Errorf("whole %v: %v", whole, r.Err)
		}
	}
}

func TestSubmissionAddresses(t *testing.T) {
	t.Parallel()
	tx := plainNote("x")
	tx.Envelope = smtp.Envelope{From: "ann@bücher.example", To: smtp.To("bob@BÜCHER.example")}
	r := carried(t, tx, func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
		got := []string{s.Envelope.From, s.Envelope.To[0].Address}
		if s.SMTPUTF8 || !slices.Equal(got, []string{"ann@xn--bcher-kva.example", "bob@xn--bcher-kva.example"}) {
			t.Error(got, s.SMTPUTF8)
		}
		return reading(smtp.Reply{}, nil)(ctx, s)
	})
	if r.Recipients[0].Address != "bob@BÜCHER.example" || tx.Envelope.To[0].Address != "bob@BÜCHER.example" {
		t.Error("the caller's address was changed", r.Recipients)
	}
	tx = plainNote("x")
	tx.Envelope = smtp.Envelope{From: "änn@bücher.example", To: smtp.To("bob@example.net")}
	carried(t, tx, func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
		if !s.SMTPUTF8 || s.Envelope.From != "änn@bücher.example" {
			t.Error(s.Envelope.From, s.SMTPUTF8)
		}
		return reading(smtp.Reply{}, nil)(ctx, s)
	})
}

// Who took the message and says that nobody knows is believed, whatever ended the
// content or the context.
func TestCarryBelievesWhoeverDoesNotKnow(t *testing.T) {
	t.Parallel()
	unsure := func(context.Context, *smtp.Submission) (smtp.Reply, error) {
		return smtp.Reply{}, &smtp.Error{Class: smtp.ClassConnect, Outcome: smtp.Unknown, Err: errors.New("half of it went out")}
	}
	for name, tt := range map[string]struct {
		content *smtp.Content
		first   func(context.CancelFunc, *smtp.Submission)
	}{
		"the source failed": {smtp.Reader(io.MultiReader(strings.NewReader(strings.Repeat("x\r\n", 70_000)), iotest.ErrReader(errors.New("broken")))),
			func(_ context.CancelFunc, s *smtp.Submission) { io.Copy(io.Discard, s.Content) }},
		"the context ended": {smtp.Bytes([]byte("x\r\n")), func(cancel context.CancelFunc, _ *smtp.Submission) { cancel() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tx := &smtp.Transaction{Content: tt.content, Envelope: smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")}}
			var got *smtp.Result
			tx.Done = func(r *smtp.Result) { got = r }
			smtp.Carry(ctx, carrier, tx, func(ctx context.Context, s *smtp.Submission) (smtp.Reply, error) {
				tt.first(cancel, s)
				return unsure(ctx, s)
			})
			if got.Outcome != smtp.Unknown || !strings.Contains(got.Err.Error(), "half of it went out") || tx.Withdraw() {
				t.Errorf("%v: %v", got.Outcome, got.Err)
			}
		})
	}
}
