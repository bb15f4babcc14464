package smtp_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// faulty gives a text and then fails, or panics.
type faulty struct {
	text   io.Reader
	panics bool
}

var errSource = errors.New("the disk is gone")

func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.text.Read(p)
	if err != io.EOF {
		return n, err
	}
	if f.panics {
		panic("the disk is gone")
	}
	return n, errSource
}

func (f *faulty) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.MultiReader(onlyReader{f}))
}

type onlyReader struct{ io.Reader }

// A message whose source fails must never be completed: no dot, no QUIT, no
// RSET, and nothing behind it.
func TestSourceFailsHalfWay(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 1, 5000, 64<<10 - 1, 64<<10 + 1, 150000, 1 << 20} {
		for _, how := range []string{"reader", "writer", "panic", "writer panic"} {
			for _, chunking := range []bool{false, true} {
				t.Run(fmt.Sprint(how, at, chunking), func(t *testing.T) {
					t.Parallel()
					bubble(t, func(t *testing.T) { sourceFails(t, at, how, chunking) })
				})
			}
		}
	}
}

func sourceFails(t *testing.T, at int, how string, chunking bool) {
	r := newRig(t, smtptest.Config{})
	r.trust()
	src := &faulty{text: strings.NewReader(textOf(2, 1<<21)[:at]), panics: strings.HasSuffix(how, "panic")}
	content := smtp.Reader(src)
	if strings.HasPrefix(how, "writer") {
		content = smtp.WriterTo(src)
	}
	mails := []*parcel{letter(1), letterOf(2, content), letter(3)}
	mails[1].Chunking = chunking
	c := r.dial()
	err := r.stream(c, mails...)
	// What fails within the first 64 KB fails before MAIL: nobody is hurt.
	want := "accepted, not sent content, accepted"
	if at >= 64<<10 {
		want = "accepted, not sent content, untold"
	}
	if got := verdicts(mails); got != want || (err != nil) != (at >= 64<<10) {
		t.Fatalf("got %s, want %s: %v", got, want, err)
	}
	if !strings.Contains(mails[1].result.Err.Error(), "the disk is gone") {
		t.Error(mails[1].result.Err)
	}
	if at < 64<<10 {
		return
	}
	all := strings.Join(r.flights(), "")
	_, behind, _ := strings.Cut(all, "<2@a.test>")
	if c.Alive() || strings.Contains(behind, "\r\n.\r\n") || strings.Contains(behind, "RSET") || strings.Contains(behind, "QUIT") || strings.Contains(behind, "LAST") {
		t.Errorf("after the failure: %q", behind[max(len(behind)-100, 0):])
	}
}

// Withdraw in every state: true means never sent, false that it is too late.
func TestWithdrawInEveryState(t *testing.T) {
	t.Parallel()
	large := func() *smtp.Content { return smtp.Bytes([]byte(textOf(2, 300000))) }
	tests := []struct {
		name  string
		when  func(m *parcel, r *rig, withdraw func())
		taken bool // back in time
		want  string
	}{
		{"before it is pulled", func(_ *parcel, _ *rig, w func()) { w() }, true, "accepted, not sent canceled, accepted"},
		{"when MAIL was answered", func(m *parcel, _ *rig, w func()) { after(&m.MailReplied, w) }, true, "accepted, not sent canceled, untold"},
		{"in the body", func(m *parcel, _ *rig, w func()) {
			m.Progress = func(int64) { w(); m.Progress = nil }
		}, true, "accepted, not sent canceled, untold"},
		{"while asked to commit", func(m *parcel, _ *rig, w func()) { m.Commit = func() error { w(); return nil } }, true, "accepted, not sent canceled, untold"},
		{"when all is written", func(m *parcel, _ *rig, w func()) {
			m.Progress = func(n int64) {
				if n == 300000 {
					w()
				}
			}
		}, false, "accepted, accepted, accepted"},
		{"afterwards", func(m *parcel, _ *rig, w func()) {
			done := m.Done
			m.Done = func(r *smtp.Result) { done(r); w() }
		}, false, "accepted, accepted, accepted"},
	}
	for _, tt := range tests {
		for _, chunking := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, chunking), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					r := newRig(t, smtptest.Config{})
					r.trust()
					mails := []*parcel{letter(1), letterOf(2, large()), letter(3)}
					m := mails[1]
					m.Chunking = chunking
					taken, asked := false, false
					tt.when(m, r, func() {
						if !asked {
							asked, taken = true, m.Withdraw()
						}
					})
					r.stream(r.dial(), mails...)
					want := tt.want
					if chunking && tt.name == "when MAIL was answered" { // nothing was asked for yet
						want = "accepted, not sent canceled, accepted"
					}
					if got := verdicts(mails); got != want || taken != tt.taken || !asked {
						t.Errorf("got %s, want %s; taken back %v", got, want, taken)
					}
					if m.Withdraw() != tt.taken {
						t.Error("Withdraw changed its mind")
					}
				})
			})
		}
	}
}

func after(hook *func(), then func()) {
	before := *hook
	*hook = func() { before(); then() }
}

// While the server is silent, Withdraw from another goroutine does not wait.
func TestWithdrawWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault string
		taken bool
		want  string
	}{
		{"mail:stall:1st", true, "not sent timeout"},
		{"body@100000:stall:1st", true, "not sent canceled"},
		{"final:stall:1st", false, "unknown timeout"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Faults: faultsOf(t, tt.fault)})
				m := letterOf(1, smtp.Bytes([]byte(textOf(1, 1<<20))))
				c := r.dial()
				ended := make(chan error)
				go func() { ended <- c.Stream(t.Context(), queue([]*parcel{m})) }()
				synctest.Wait()
				if m.Withdraw() != tt.taken {
					t.Error("taken back:", !tt.taken)
				}
				<-ended
				r.check(m)
				if m.verdict() != tt.want {
					t.Errorf("got %s, want %s", m.verdict(), tt.want)
				}
			})
		})
	}
}

// The owner's word is asked before the octets that can deliver leave, and
// counts: an error means not sent, without a dot.
func TestCommit(t *testing.T) {
	t.Parallel()
	for _, chunking := range []bool{false, true} {
		for _, octets := range []int{100, 200000} {
			t.Run(fmt.Sprint(chunking, octets), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					r := newRig(t, smtptest.Config{})
					m, second := letterOf(1, smtp.Bytes([]byte(textOf(1, octets)))), letterOf(2, smtp.Bytes([]byte(textOf(2, octets))))
					m.Chunking, second.Chunking = chunking, chunking
					ended := func() bool {
						all := strings.Join(r.flights(), "")
						return strings.HasSuffix(all, "\r\n.\r\n") || strings.Contains(all, "LAST")
					}
					m.Commit = func() error {
						if ended() {
							t.Error("the end was written before Commit")
						}
						return nil
					}
					c := r.dial()
					if err := r.stream(c, m); err != nil || m.verdict() != "accepted" || !ended() {
						t.Error(err, m.verdict())
					}
					second.Commit = func() error { return errSource }
					err := r.stream(c, second)
					if !errors.Is(err, errSource) || !errors.Is(second.result.Err, errSource) || second.verdict() != "not sent canceled" {
						t.Error(err, second.verdict())
					}
				})
			})
		}
	}
}

func TestProgressGrowsToTheEnd(t *testing.T) {
	t.Parallel()
	for _, chunking := range []bool{false, true} {
		for _, octets := range []int{100, 60000, 200000, 1 << 20} {
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{})
				// Dots and line ends that are not CRLF: octets as the server counts them.
				text := strings.ReplaceAll(textOf(1, octets), "\r\n0", "\n.")
				m := letterOf(1, smtp.Bytes([]byte(text)))
				m.Chunking = chunking
				if err := r.stream(r.dial(), m); err != nil {
					t.Fatal(err)
				}
				want := int64(len(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")))
				if !slices.IsSorted(m.progress) || m.progress[len(m.progress)-1] != m.result.Octets || m.result.Octets != want {
					t.Errorf("%v to %d of %d", m.progress, m.result.Octets, want)
				}
			})
		}
	}
}
