package sendmail_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/sendmail"
	"github.com/kaizenmail/kaizen/smtp"
)

// The test binary is the command too: with this variable it does what it says.
const deedVariable = "TEST_SENDMAIL_DEED"

func TestMain(m *testing.M) {
	if deed := os.Getenv(deedVariable); deed != "" {
		os.Exit(beCommand(deed))
	}
	os.Exit(m.Run())
}

// report is what the command was given.
type report struct {
	Args  []string
	Env   []string
	Stdin string
	Dir   string
}

// beCommand is a sendmail that behaves in some way: "exit 75", "print exit 0", …
func beCommand(deed string) int {
	words := strings.Fields(deed)
	for i, word := range words {
		switch word {
		case "report": // the next word is a file
			stdin, _ := io.ReadAll(os.Stdin)
			dir, _ := os.Getwd()
			text, _ := json.Marshal(report{os.Args[1:], os.Environ(), string(stdin), dir})
			if err := os.WriteFile(words[i+1], text, 0o600); err != nil {
				return 74
			}
		case "read":
			_, _ = io.Copy(io.Discard, os.Stdin)
		case "sip":
			_, _ = io.CopyN(io.Discard, os.Stdin, 1000)
		case "gulp":
			_, _ = io.CopyN(io.Discard, os.Stdin, 180_000)
		case "slowly":
			for r := bufio.NewReaderSize(os.Stdin, 4<<10); ; {
				if _, err := io.CopyN(io.Discard, r, 4<<10); err != nil {
					break
				}
			}
		case "deliver": // the next word is a file: made only when all was read
			stdin, _ := io.ReadAll(os.Stdin)
			_ = os.WriteFile(words[i+1], stdin, 0o600)
		case "begun": // the next word is a file
			_ = os.WriteFile(words[i+1], []byte(strconv.Itoa(os.Getpid())), 0o600)
		case "hang":
			select {}
		case "sleep":
			<-time.After(time.Hour)
		case "complain":
			fmt.Fprintln(os.Stderr, "the \x1b[31mdisk\x1b[0m\r\nis full")
		case "babble":
			chunk := bytes.Repeat([]byte("babble "), 10_000)
			for range 20 {
				_, _ = os.Stdout.Write(chunk)
				_, _ = os.Stderr.Write(chunk)
			}
		case "exit":
			code, _ := strconv.Atoi(words[i+1])
			return code
		}
		if extra := extraDeed(word, words[i+1:]); extra {
			return 70
		}
	}
	return 0
}

// commandOptions runs the test binary as the command.
func commandOptions(t *testing.T, deed string) sendmail.Options {
	t.Helper()
	return sendmail.Options{Path: self(t), Env: append(os.Environ(), "GORACE=atexit_sleep_ms=0", deedVariable+"="+deed), Timeout: time.Minute}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const body = "Subject: x\n\n.\nFrom the start\n..two\nä\n"

// handed sends a message through a mailer and returns its result.
func handed(t *testing.T, ctx context.Context, m *sendmail.Mailer, tx *smtp.Transaction) *smtp.Result {
	t.Helper()
	if tx.Content == nil {
		tx.Content = smtp.Bytes([]byte(body))
	}
	if tx.Envelope.To == nil {
		tx.Envelope = smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")}
	}
	var r *smtp.Result
	tx.Done = func(result *smtp.Result) { r = result }
	_ = smtp.Carry(ctx, m.String(), tx, m.Mail)
	return r
}

// received runs the command and returns what it got.
func received(t *testing.T, o sendmail.Options, tx *smtp.Transaction) (report, *smtp.Result) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report")
	given := commandOptions(t, "report "+file)
	o.Path = given.Path
	if o.Env == nil {
		o.Env = given.Env
	} else {
		o.Env = append(slices.Clone(o.Env), deedVariable+"=report "+file)
	}
	r := handed(t, t.Context(), sendmail.New(o), tx)
	var got report
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil && r.Outcome == smtp.Accepted {
		t.Fatal(err, r.Err)
	}
	return got, r
}
