package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startNodemailer is nodemailer's smtp-server, from npm.
func startNodemailer(t *testing.T, w *workshop, l limits) *instance {
	dir, err := os.MkdirTemp(w.dir, "smtp-server-")
	must(t, err)
	plain, implicit := freePort(t), freePort(t)
	settings, err := json.Marshal(map[string]any{
		"plain": plain, "implicit": implicit, "dir": dir, "cert": string(w.cert), "key": string(w.key),
		"user": user, "password": password, "size": maxSize, "connections": l.connections, "recipients": l.recipients,
	})
	must(t, err)
	file := filepath.Join(dir, "settings.json")
	must(t, os.WriteFile(file, settings, 0o600))
	node, err := exec.LookPath("node")
	must(t, err)
	server := spawn(t, dir, "", node, "nodemailer/server.mjs", file)
	return &instance{
		version: nodemailerVersion(t), plain: loopback(plain), implicit: loopback(implicit),
		mailbox: map[string]string{"bob": filepath.Join(dir, "bob"), "eve": filepath.Join(dir, "eve")},
		trace:   []string{"X-Original-To", "Received"}, knobs: knobs{connections: true},
		logs: []string{server.log}, complaints: `.`, stop: server.stop,
	}
}

func nodemailerVersion(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("nodemailer/node_modules/smtp-server/package.json")
	if err != nil {
		t.Fatalf("%v (make interop installs it)", err)
	}
	var description struct{ Version string }
	must(t, json.Unmarshal(content, &description))
	return description.Version
}
