package test

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// sink starts a server that takes everything into the folder named mail, and
// sets SINK to its URL: "sink".
func sink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: sink")
	}
	mail := ts.MkAbs("mail")
	ts.Check(os.MkdirAll(mail, 0o700))
	server, err := smtptest.Listen(smtptest.Config{Maildir: mail})
	ts.Check(err)
	ts.Defer(func() { server.Close() })
	ts.Setenv("SINK", "smtp://"+server.Addr()+"?tls=none")
}
