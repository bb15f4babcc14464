package smtp_test

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func chunked(n int, content *smtp.Content, to ...string) *parcel {
	m := letterOf(n, content, to...)
	m.Chunking = true
	return m
}

func textOf(n, octets int) string {
	text := letterText(n) + strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmno.\r\n", octets/64+1)
	return text[:octets-2] + "\r\n"
}

// announced reads the sizes of BDAT commands in flights and the octets behind each.
func announced(t *testing.T, flights []string) (sizes []int, last int) {
	t.Helper()
	for _, f := range flights {
		if !strings.HasPrefix(f, "BDAT ") {
			continue
		}
		command, rest, _ := strings.Cut(f, "\r\n")
		words := strings.Fields(command)
		n, err := strconv.Atoi(words[1])
		if err != nil || n > len(rest) || len(words) == 2 && n != len(rest) {
			t.Errorf("%q before %d octets", command, len(rest))
		}
		if n == 0 {
			t.Errorf("an empty chunk: %q", command)
		}
		if len(words) == 3 {
			last++
		}
		sizes = append(sizes, n)
	}
	return sizes, last
}

// Sizes around what one flight holds, from memory and from streams.
func TestChunkSizes(t *testing.T) {
	t.Parallel()
	const buffer = 64<<10 - 6<<10 - 1<<10 - 20 // where a chunk is full at the earliest
	for _, octets := range []int{60, 4096, buffer - 1, buffer, buffer + 1, buffer + 15, buffer + 16, buffer + 17, buffer + 1<<10, 64 << 10, 64<<10 + 1, 200000} {
		for _, kind := range []string{"memory", "stream", "one octet"} {
			t.Run(fmt.Sprint(kind, octets), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					r := newRig(t, smtptest.Config{KeepMessages: true})
					text := textOf(1, octets)
					content := smtp.Bytes([]byte(text))
					switch kind {
					case "stream":
						content = smtp.WriterTo(bytes.NewBufferString(text))
					case "one octet":
						content = smtp.Reader(iotest.OneByteReader(strings.NewReader(text)))
					}
					m := chunked(1, content)
					if err := r.stream(r.dial(), m); err != nil || m.verdict() != "accepted" {
						t.Fatal(err, m.verdict())
					}
					if got := r.server.Messages()[0]; string(got.Data) != text || !got.Chunked {
						t.Errorf("%d octets arrived, %d sent", len(got.Data), len(text))
					}
					sizes, last := announced(t, r.flights())
					if last != 1 || len(sizes) > octets/buffer+1 {
						t.Errorf("%d octets in chunks of %v, %d of them last", octets, sizes, last)
					}
					if m.result.Octets != int64(octets) || m.progress[len(m.progress)-1] != m.result.Octets {
						t.Errorf("octets %d, progress %v", m.result.Octets, m.progress)
					}
				})
			})
		}
	}
}

// A chunk of nothing is not understood everywhere.
func TestEmptyContentInAChunk(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{KeepMessages: true})
		m := chunked(1, smtp.Bytes(nil))
		m.id = ""
		if err := r.stream(r.dial(), m); err != nil || m.verdict() != "accepted" {
			t.Fatal(err, m.verdict())
		}
		if got := r.server.Messages()[0].Data; string(got) != "\r\n" || m.result.Octets != 2 {
			t.Errorf("%q, %d octets", got, m.result.Octets)
		}
	})
}

// What a refused chunk left behind must not get into the next message.
func TestRefusedChunk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, want string }{
		{"data:reply=452 4.3.1 Full:4th", "rejected content, accepted"},
		{"data:reply=554 5.6.0 No:5th", "rejected content, accepted"},
		{"data:421:4th", "not sent connection-limit, untold"},
		{"data:drop:4th", "not sent connect again, untold"},
		{"data:reply=354 Go:4th", "not sent protocol again, untold"},
		{"data:extra:4th", "not sent protocol again, untold"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{KeepMessages: true, Faults: faultsOf(t, tt.fault)})
				r.trust()
				mails := []*parcel{chunked(1, smtp.Bytes([]byte(textOf(1, 200000)))), chunked(2, smtp.Bytes([]byte(textOf(2, 500))))}
				r.stream(r.dial(), mails...)
				if got := verdicts(mails); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				for _, got := range r.server.Messages() {
					if got.ID == "<2@a.test>" && string(got.Data) != textOf(2, 500) {
						t.Errorf("arrived as %.60q", got.Data)
					}
				}
			})
		})
	}
}

func TestLookAheadBehindTheLastChunk(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{})
		r.trust()
		mails := []*parcel{chunked(1, smtp.Bytes([]byte(letterText(1)))), chunked(2, smtp.Bytes([]byte(letterText(2)))), letter(3), chunked(4, smtp.Bytes([]byte(letterText(4))))}
		mails[1].AllOrNothing = true
		if err := r.stream(r.dial(), mails...); err != nil || verdicts(mails) != "accepted, accepted, accepted, accepted" {
			t.Fatal(err, verdicts(mails))
		}
		want := "MAIL RCPT | BDAT ~ RSET MAIL RCPT | BDAT ~ RSET MAIL RCPT DATA | ~ . RSET MAIL RCPT | BDAT ~"
		if got := verbs(r.flights()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A body full of commands, to a server that carries out what it should
// swallow: chunks are only sent once a recipient was accepted.
func TestBodyIsNeverExecuted(t *testing.T) {
	t.Parallel()
	const smuggled = "RSET\r\nMAIL FROM:<evil@a.test>\r\nRCPT TO:<victim@b.test>\r\nDATA\r\nMessage-ID: <evil@a.test>\r\n\r\nx\r\n.\r\n"
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprint("all or nothing ", whole), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{Quirks: smtptest.Quirks{UnswallowedBDAT: true}, Reject: refuseRecipient("no@b.test")})
				r.trust()
				mails := []*parcel{
					chunked(1, smtp.Bytes([]byte(smuggled)), "no@b.test"),
					chunked(2, smtp.Bytes([]byte(letterText(2)))),
					chunked(3, smtp.Bytes([]byte(smuggled)), "no@b.test", "a@b.test"),
				}
				mails[2].id, mails[2].AllOrNothing = "", whole
				if !whole {
					mails = mails[:2]
				}
				if err := r.stream(r.dial(), mails...); err != nil {
					t.Error(err)
				}
				if strings.Contains(strings.Join(r.flights(), ""), "evil") || r.server.Stats().Accepted != 3+1 {
					t.Errorf("the body was sent: %s", verbs(r.flights()))
				}
			})
		})
	}
}

// BINARYMIME passes every octet as it is, its last line too.
func TestBinaryIsOctetExact(t *testing.T) {
	t.Parallel()
	binary := make([]byte, 150001)
	for i := range binary {
		binary[i] = byte(i * i >> 3)
	}
	copy(binary, "Message-ID: <1@a.test>\r\nContent-Transfer-Encoding: binary\r\n\r\n\n\r.\r\n.\r\n\x00")
	for name, content := range map[string]*smtp.Content{
		"memory": smtp.Bytes(binary), "stream": smtp.Reader(io.LimitReader(bytes.NewReader(binary), 1<<20)), "small": smtp.Bytes(binary[:100]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				r := newRig(t, smtptest.Config{KeepMessages: true})
				m := letterOf(1, content)
				m.Binary = true
				if err := r.stream(r.dial(), m); err != nil || m.verdict() != "accepted" {
					t.Fatal(err, m.verdict())
				}
				got, want := r.server.Messages()[0], binary
				if name == "small" {
					want = binary[:100]
				}
				if !bytes.Equal(got.Data, want) || got.Params["BODY"] != "BINARYMIME" {
					t.Errorf("%d octets of %d, %v", len(got.Data), len(want), got.Params)
				}
			})
		})
	}
}

// The limit of a session, told at the last chunk: no verdict on the message.
func TestSessionLimitAtTheLastChunk(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		r := newRig(t, smtptest.Config{Limits: smtptest.Limits{MessagesPerConnection: 4},
			Quirks: smtptest.Quirks{LimitAtData: true, StickyTransaction: true}})
		r.trust()
		var mails []*parcel
		for i := range 6 {
			mails = append(mails, chunked(i, smtp.Bytes([]byte(letterText(i)))))
		}
		c := r.dial()
		err := r.stream(c, mails...)
		want := "accepted, accepted, accepted, accepted, not sent session-limit again, not sent session-limit again"
		if got := verdicts(mails); got != want || err == nil || c.MaxTransactions() != 4 {
			t.Errorf("%s; %v; learned %d", got, err, c.MaxTransactions())
		}
	})
}
