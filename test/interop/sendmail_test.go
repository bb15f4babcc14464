package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

// command is a sendmail command of a mail server.
type command struct {
	name  string
	start func(t *testing.T, w *workshop, l limits) *instance
	root  string // of the server's files, by the first package
}

var commands = []command{
	{name: "Postfix", start: startPostfix, root: "postfix"},
	{name: "Exim", start: startExim, root: "exim4-daemon-light"},
	{name: "OpenSMTPD", start: startOpenSMTPD, root: "opensmtpd"},
}

// TestSendmailCommands hands messages to the sendmail commands of real servers and
// compares what arrived, octet for octet.
func TestSendmailCommands(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for _, c := range commands {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := c.start(t, w, limits{})
			t.Cleanup(func() { in.stop(t) })
			awaitPort(t, in.plain)
			m := chrooted(t, w, c.root, "/usr/sbin/sendmail")
			client := kaizen.New(kaizen.Config{})
			t.Cleanup(func() { must(t, client.Close()) })
			account := kaizen.Account{Name: "local", Mailer: m, Limits: kaizen.Limits{Connections: 4, Rates: kaizen.NoRate()}}
			must(t, client.Verify(t.Context(), account))
			t.Run("letters", func(t *testing.T) { checkCommandLetters(t, in, client, account) })
			t.Run("half", func(t *testing.T) { checkCommandHalf(t, in, client, account) })
			t.Run("odd recipients", func(t *testing.T) { checkCommandOddRecipients(t, in, client, account) })
		})
	}
}

// awaitPort waits until a server has started.
func awaitPort(t *testing.T, address string) {
	t.Helper()
	for range 300 {
		if conn, err := net.Dial("tcp", address); err == nil {
			must(t, conn.Close())
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Fatal("nobody listens at", address)
}

// chrooted runs a command of a server that was unpacked.
func chrooted(t *testing.T, w *workshop, server, command string, args ...string) *sendmail.Mailer {
	t.Helper()
	w.mu.Lock()
	root := w.unpacked[server].root
	w.mu.Unlock()
	path, err := exec.LookPath("chroot")
	must(t, err)
	return sendmail.New(sendmail.Options{Path: path, Args: append([]string{root, command}, args...), Timeout: time.Minute})
}

// commandTexts are hard for something that reads standard input: dots, octets
// beyond ASCII, long bodies, no body.
var commandTexts = map[string]string{
	"dots":     "Subject: dots\n\n.\n..\n...three\n. one\nFrom the start\n>From quoted\n.\n",
	"8-bit":    "Subject: Grüße\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nÄÖÜ 日本語\n",
	"large":    "Subject: large\n\n" + strings.Repeat("0123456789 0123456789 0123456789 0123456789\n.\n", 40_000),
	"no end":   "Subject: no end\n\nno line end",
	"CRLF":     "Subject: CRLF\r\n\r\nfirst\r\n.\r\nlast\r\n",
	"tabs":     "Subject: tabs\n\n\ttab\n trailing \n\n\nend\n",
	"boundary": "Subject: boundary\n\n" + strings.Repeat("x", 900) + "\n",
}

const commandHeader = "From: Ann <ann@example.com>\nTo: Bob <bob@example.net>\nDate: Fri, 27 Nov 2026 18:00:00 +0000\n"

// checkCommandLetters sends at once, by way of a pool, with a sender and with the
// null sender.
func checkCommandLetters(t *testing.T, in *instance, client *kaizen.Client, account kaizen.Account) {
	before := in.count("bob")
	sent := map[string]string{} // by Copy
	senders := map[string]string{}
	var all sync.WaitGroup
	for name, text := range commandTexts {
		for _, from := range []string{sender, ""} {
			copyID := fmt.Sprintf("%s-%t", strings.ReplaceAll(name, " ", "-"), from == "")
			octets := "X-Command: " + copyID + "\nMessage-ID: <" + copyID + "@example.com>\n" + commandHeader + text
			sent[copyID], senders[copyID] = octets, from
			all.Go(func() {
				p := &kaizen.Prepared{Envelope: smtp.Envelope{From: from, To: smtp.To("bob@example.net")}, Content: smtp.Bytes([]byte(octets))}
				if _, err := client.Send(t.Context(), account, p); err != nil {
					t.Errorf("%s: %v", copyID, err)
				}
			})
		}
	}
	all.Wait()
	arrived := awaitCommand(t, in, "bob", before+len(sent))
	for file, got := range arrived {
		_, after, ok := strings.Cut(string(got), "X-Command: ")
		copyID, _, _ := strings.Cut(after, "\n")
		copyID = strings.TrimSuffix(copyID, "\r")
		want, known := sent[copyID]
		if !ok || !known {
			t.Errorf("%s: not sent, or came twice: %.200q", file, got)
			continue
		}
		delete(sent, copyID)
		compareCommand(t, copyID, want, string(got), senders[copyID])
	}
	for copyID := range sent {
		t.Errorf("%s did not arrive", copyID)
	}
}

// compareCommand: what arrived ends with what was sent, in this system's line ends.
func compareCommand(t *testing.T, copyID, want, got, from string) {
	t.Helper()
	want = strings.ReplaceAll(want, "\r\n", "\n")
	if !strings.HasSuffix(want, "\n") {
		want += "\n"
	}
	got = strings.ReplaceAll(got, "\r\n", "\n")
	if !strings.HasSuffix(got, want) {
		at := max(0, len(got)-len(want))
		t.Errorf("%s: %d octets were sent, the last that arrived differ: %s", copyID, len(want), firstDifference([]byte(want), []byte(got[at:])))
		return
	}
	head := got[:len(got)-len(want)]
	head = strings.ToLower(head)
	silent := from == "" && !strings.Contains(head, "return-path:") // OpenSMTPD
	if !silent && !strings.Contains(head, "return-path: <"+from+">\n") {
		t.Errorf("%s: the sender is not <%s>: %q", copyID, from, head)
	}
}

// awaitCommand waits until so many messages have arrived, and a little longer.
func awaitCommand(t *testing.T, in *instance, who string, n int) map[string][]byte {
	t.Helper()
	for range 600 {
		if in.count(who) >= n {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	<-time.After(time.Second) // for what comes twice
	return in.arrived(t, who)
}

// broken gives so much, waits, and then fails.
type broken struct {
	text string
	wait time.Duration
}

var errBroken = errors.New("the disk is gone")

func (b *broken) Read(p []byte) (int, error) {
	if b.text == "" {
		<-time.After(b.wait)
		return 0, errBroken
	}
	n := copy(p, b.text)
	b.text = b.text[n:]
	return n, nil
}

// checkCommandHalf: a message that breaks off half way is not delivered, whoever
// has read it by then; nor is one whose sender goes away.
func checkCommandHalf(t *testing.T, in *instance, client *kaizen.Client, account kaizen.Account) {
	before := in.count("eve")
	envelope := smtp.Envelope{From: sender, To: smtp.To("eve@example.net")}
	text := commandHeader + commandTexts["large"]
	var all sync.WaitGroup
	for _, n := range []int{100_000, 500_000, 1_000_000} {
		all.Go(func() {
			p := &kaizen.Prepared{Envelope: envelope, Content: smtp.Reader(&broken{text: text[:n], wait: 300 * time.Millisecond})}
			if _, err := client.Send(t.Context(), account, p); !errors.Is(err, errBroken) {
				t.Error(err)
			}
		})
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r, w := io.Pipe()
			defer w.Close()
			go func() { _, _ = io.WriteString(w, text[:n]) }() // and no more
			_, err := client.Send(ctx, account, &kaizen.Prepared{Envelope: envelope, Content: smtp.Reader(r)})
			if !errors.Is(err, kaizen.ErrCanceled) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p := &kaizen.Prepared{Envelope: envelope, Content: smtp.Bytes([]byte("Subject: whole\n" + commandHeader + "\nwhole\n"))}
	if _, err := client.Send(t.Context(), account, p); err != nil {
		t.Error(err)
	}
	for _, got := range awaitCommand(t, in, "eve", before+1) {
		if !strings.Contains(string(got), "Subject: whole") && strings.Contains(string(got), "Subject: large") {
			t.Errorf("half a message was delivered, %d octets", len(got))
		}
	}
	if n := in.count("eve"); n != before+1 {
		t.Errorf("%d messages, want one", n-before)
	}
}

// checkCommandOddRecipients: addresses that look like options are addresses. Those
// who look them up at once refuse them, as such.
func checkCommandOddRecipients(t *testing.T, in *instance, client *kaizen.Client, account kaizen.Account) {
	before, sent := in.count("bob"), 0
	text := commandHeader + "Subject: odd\n\nodd\n"
	for _, odd := range []string{"-bs@example.net", "--help@example.net", "-oQ/tmp/evil@example.net"} {
		p := &kaizen.Prepared{Envelope: smtp.Envelope{From: "-odq@example.com", To: smtp.To(odd, "bob@example.net")}, Content: smtp.Bytes([]byte(text))}
		_, err := client.Send(t.Context(), account, p)
		if err == nil {
			sent++
		} else if !strings.Contains(err.Error(), "<"+odd+">") {
			t.Errorf("%s: %v", odd, err)
		}
	}
	if awaitCommand(t, in, "bob", before+sent); in.count("bob") != before+sent {
		t.Errorf("%d messages of %d arrived", in.count("bob")-before, sent)
	}
}
