package smtptest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// deliver sends content, already stuffed and ended, in two writes split at the
// given place, and returns what the server took.
func deliver(t *testing.T, stuffed []byte, split int) (*smtptest.Message, error) {
	s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Buffer: -1, KeepMessages: true})
	defer s.Close()
	conn, err := s.DialContext(context.Background(), "", "")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := textproto.NewConn(conn)
	talk(t, c, "", 220)
	talk(t, c, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA", 250)
	for _, code := range []int{250, 250, 354} {
		talk(t, c, "", code)
	}
	conn.Write(stuffed[:split])
	conn.Write(stuffed[split:])
	talk(t, c, "", 250)
	return s.Messages()[0], nil
}

func TestContentSplitAnywhere(t *testing.T) {
	t.Parallel()
	stuffed := []byte("..a\r\n.b\r\n\r\n..\r\n.\n.\r.\nx\r\r\n...\r\r\n\n.\r\nc\r\n.\r\n")
	want := ".a\r\nb\r\n\r\n.\r\n\n.\r.\nx\r\r\n..\r\r\n\n.\r\nc\r\n"
	for split := range stuffed {
		m, err := deliver(t, stuffed, split)
		if err != nil || string(m.Data) != want {
			t.Fatalf("split at %d: %q, %v", split, m.Data, err)
		}
	}
}

// stuff is the client's side of RFC 5321 §4.5.2, written the slow way.
func stuff(content []byte) []byte {
	if !bytes.HasSuffix(content, []byte("\r\n")) {
		content = append(bytes.Clone(content), "\r\n"...)
	}
	lines := strings.SplitAfter(string(content), "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = "." + line
		}
	}
	return []byte(strings.Join(lines, "") + ".\r\n")
}

func FuzzContent(f *testing.F) {
	f.Add([]byte("Message-ID: <x>\r\n\r\n.\r\n..\r\n"), 7)
	f.Add([]byte(".\r\n.\n.\r\r\n."), 3)
	f.Fuzz(func(t *testing.T, content []byte, split int) {
		stuffed := stuff(content)
		split = max(0, min(split, len(stuffed)))
		m, err := deliver(t, stuffed, split)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(content, []byte("\r\n")) {
			content = append(content, "\r\n"...)
		}
		if !bytes.Equal(m.Data, content) {
			t.Fatalf("sent %q, taken %q", content, m.Data)
		}
	})
}

func TestLargeContent(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789\r\n.\r\n"), 10000)
	for short := range 16 { // the edges of the server's buffer fall everywhere
		stuffed := stuff(content[short:])
		m, err := deliver(t, stuffed, 65536)
		if err != nil || !bytes.Equal(m.Data, content[short:]) {
			t.Fatalf("%d octets less: %d octets taken, %v", short, len(m.Data), err)
		}
	}
}

// FuzzCommands checks that no input makes the server fail or wait for ever.
func FuzzCommands(f *testing.F) {
	f.Add([]byte(hello + oneRcpt + "BDAT 5 LAST\r\nhello" + group + letter + "AUTH PLAIN AAA=\r\nQUIT\r\n"))
	f.Add([]byte("AUTH SCRAM-SHA-1 biwsbj1qb2Uscj14\r\nYz1iaXdzLHI9eCxwPQ==\r\nSTARTTLS\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Buffer: -1, KeepMessages: true,
			Auth: &smtptest.Auth{Users: map[string]string{"": ""}, Mechanisms: everyMechanism}})
		defer s.Close()
		if got := play(t, s, string(input)); !strings.HasPrefix(got, "220 ") {
			t.Fatalf("%q", got)
		}
	})
}

func TestChunks(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, KeepMessages: true})
	dialogue(t, s, hello+"MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<a@b.test>\r\nBDAT 13\r\nMessage-ID:\r\nBDAT 9 LAST\r\n <1>\r\n\r\n.QUIT\r\n")
	m := s.Messages()[0]
	if string(m.Data) != "Message-ID:\r\n <1>\r\n\r\n." || m.ID != "<1>" || !m.Chunked || m.Params["BODY"] != "BINARYMIME" {
		t.Errorf("%+v %q", m, m.Data)
	}
}

func TestMaildirAndSave(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "mail")
	var saved []string
	s := start(t, smtptest.Config{Network: smtptest.Memory, Maildir: folder,
		Save: func(m *smtptest.Message) { saved = append(saved, m.ID) }})
	dialogue(t, s, hello+group+letter)
	files, err := filepath.Glob(filepath.Join(folder, "new", "*"))
	if err != nil || len(files) != 1 || len(saved) != 1 || saved[0] != "<1@b.test>" {
		t.Fatalf("files %v, saved %v, %v", files, saved, err)
	}
	if b, err := os.ReadFile(files[0]); string(b) != "Message-ID: <1@b.test>\r\n\r\nHello\r\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if len(s.Messages()) != 0 {
		t.Error("kept in memory too")
	}
	os.RemoveAll(folder)
	if got := dialogue(t, s, hello+group+letter); !strings.HasSuffix(got, "451") || s.Stats().Accepted != 1 {
		t.Errorf("without the folder: %s, %+v", got, s.Stats())
	}
}

func TestAccountsUnderLoad(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		s := start(t, smtptest.Config{Network: network})
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				conn, err := s.DialContext(context.Background(), "", "")
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, hello)
				for j := range 50 {
					text := fmt.Sprintf("Message-ID: <%d.%d>\r\n\r\n", i, j%25)
					fmt.Fprintf(conn, "%sBDAT %d LAST\r\n%s", oneRcpt, len(text), text)
				}
				io.WriteString(conn, "QUIT\r\n")
				io.Copy(io.Discard, conn)
			})
		}
		clients.Wait()
		tallies := s.Accepted()
		for id, tally := range tallies {
			if tally.Times != 2 || len(tally.Duplicates()) != 1 {
				t.Errorf("%s: %+v", id, tally)
			}
		}
		if st := s.Stats(); len(tallies) != 200 || st.Accepted != 400 || st.MostMessages != 50 || len(s.MailTimes()) != 400 {
			t.Errorf("%d tallies, %+v", len(tallies), st)
		}
	}
}

func TestCountOnly(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, CountOnly: true})
	for range 3 {
		dialogue(t, s, hello+group+letter)
	}
	if st := s.Stats(); st.Accepted != 3 || st.Connections != 3 || st.MostMessages != 1 {
		t.Errorf("%+v", st)
	}
	if len(s.Accepted()) != 0 || len(s.MailTimes()) != 0 {
		t.Error("kept more than counters")
	}
}

func TestCloseTwiceAndDialAfter(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		s := smtptest.NewServer(smtptest.Config{Network: network})
		c := dial(t, s)
		talk(t, c, "", 220)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.ReadLine(); err == nil {
			t.Error("the connection is still open")
		}
		if _, err := s.DialContext(context.Background(), "", ""); err == nil {
			t.Error("dialled a closed server")
		}
	}
	if _, err := smtptest.Listen(smtptest.Config{Network: "pigeon"}); err == nil {
		t.Error("listens on pigeons")
	}
}
