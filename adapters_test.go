package kaizen_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// foreign is a message as other libraries have it: with addresses in angle
// brackets or bare, and a Message-ID that is made when it is first written.
type foreign struct {
	from string
	to   []string
	id   string
}

func (f *foreign) GetSender(bool) (string, error)   { return f.from, missing(f.from == "") }
func (f *foreign) GetRecipients() ([]string, error) { return f.to, missing(len(f.to) == 0) }
func (f *foreign) GetMessageID() string             { return f.id }

func (f *foreign) WriteTo(w io.Writer) (int64, error) {
	f.id = "<made@example.com>"
	n, err := io.WriteString(w, "Message-ID: "+f.id+"\r\n\r\nHello\r\n")
	return int64(n), err
}

var errMissing = errors.New("it is missing")

func missing(yes bool) error {
	if yes {
		return errMissing
	}
	return nil
}

func TestForeignMessagesAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for _, f := range []*foreign{
		{from: "ann@example.com", to: []string{"bob@example.net", "cy@example.net"}},
		{from: "<ann@example.com>", to: []string{"<bob@example.net>", "<cy@example.net>", "<bob@example.net>"}},
	} {
		r, err := client.Send(t.Context(), account(s), f)
		if err != nil {
			t.Fatal(err)
		}
		if r.MessageID != "<made@example.com>" || !slices.Equal(addresses(r.Recipients), []string{"bob@example.net", "cy@example.net"}) {
			t.Errorf("%+v", r)
		}
	}
}

func TestForeignMessagesThatCannotGo(t *testing.T) {
	t.Parallel()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	for class, f := range map[kaizen.Class]*foreign{
		kaizen.ErrSender:    {to: []string{"bob@example.net"}},
		kaizen.ErrRecipient: {from: "ann@example.com"},
	} {
		if _, err := client.Send(t.Context(), unused(t), f); !errors.Is(err, class) || !errors.Is(err, errMissing) {
			t.Errorf("%v", err)
		}
	}
}

// WriterFunc counts what its function writes, also when that fails.
func TestWriterFunc(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n, err := kaizen.WriterFunc(func(w io.Writer) error {
		_, _ = io.WriteString(w, "1234")
		_, _ = io.WriteString(w, "567")
		return errMissing
	}).WriteTo(&out)
	if n != 7 || !errors.Is(err, errMissing) || out.String() != "1234567" {
		t.Errorf("%d octets, %q, %v", n, out.String(), err)
	}
}

// A stream that was prepared and not sent is given back.
func TestUnsentStreamsAreClosed(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	client := kaizen.New(kaizen.Config{})
	client.Close()
	_, err := client.Send(t.Context(), unused(t), &kaizen.Prepared{Envelope: kaizen.Envelope{To: smtp.To("bob@example.net")},
		Content: smtp.Open(func() (io.ReadCloser, error) {
			return &closing{strings.NewReader(strings.Repeat("x\r\n", 100_000)), closed}, nil
		})})
	if !errors.Is(err, kaizen.ErrClosed) {
		t.Error(err)
	}
	select {
	case <-closed:
	default:
		t.Error("the source is open still")
	}
}

type closing struct {
	io.Reader
	closed chan struct{}
}

func (c *closing) Close() error {
	close(c.closed)
	return nil
}
