package parsers_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/smtp"
)

// readMaildir is Python's own idea of a Maildir.
const readMaildir = `
import json, mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
print(json.dumps([[m.get_subdir(), m["X-Envelope-To"], box.get_bytes(key).decode("latin-1")] for key, m in box.iteritems()]))
`

// TestMaildirIsRead has Python read what package maildrop writes.
func TestMaildirIsRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	client := kaizen.New(kaizen.Config{})
	account := kaizen.Account{Mailer: maildrop.New(dir, maildrop.Options{NoSync: true}), Limits: kaizen.Limits{Rates: kaizen.NoRate()}}
	want := map[string]bool{}
	for _, c := range allCases(t) {
		var b bytes.Buffer
		if _, err := c.Message.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		p := &kaizen.Prepared{Envelope: smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.net")}, Content: smtp.Bytes(b.Bytes()), AllowLongLines: true}
		if _, err := client.Send(t.Context(), account, p); err != nil {
			t.Fatal(c.Name, err)
		}
		want[string(bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")))] = true
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	said, err := exec.Command("python3", "-c", readMaildir, dir).Output()
	var read [][3]string
	if err == nil {
		err = json.Unmarshal(said, &read)
	}
	if err != nil {
		t.Fatal(err)
	}
	const head = "Return-Path: <ann@example.com>\nX-Envelope-To: <bob@example.net>\n"
	for _, m := range read {
		var octets []byte
		for _, r := range m[2] { // one for each octet
			octets = append(octets, byte(r))
		}
		body, found := bytes.CutPrefix(octets, []byte(head))
		if m[0] != "new" || m[1] != "<bob@example.net>" || !found || !want[string(body)] {
			t.Errorf("%s %s: not what was sent: %.200q", m[0], m[1], octets)
		}
		delete(want, string(body))
	}
	if len(want) > 0 {
		t.Errorf("%d messages are missing", len(want))
	}
}
