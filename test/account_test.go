package test

import (
	"strconv"
	"sync/atomic"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/rogpeppe/go-internal/testscript"
)

// brokenKey finds which of a script's servers refuse every password.
type brokenKey struct{}

func broken(ts *testscript.TestScript, server string) *atomic.Bool {
	all := ts.Value(brokenKey{}).(map[string]*atomic.Bool)
	if all[server] == nil {
		all[server] = new(atomic.Bool)
	}
	return all[server]
}

// verdict refuses the right password, too, while a script has it broken.
func verdict(broken *atomic.Bool) func(mechanism, user string) *smtptest.Reply {
	return func(string, string) *smtptest.Reply {
		if !broken.Load() {
			return nil
		}
		return &smtptest.Reply{Code: 535, Text: "5.7.8 Authentication credentials invalid"}
	}
}

// password breaks and mends what a server takes, as somebody does who changes a
// password at the provider: "password office broken", "password office mended".
func password(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || args[1] != "broken" && args[1] != "mended" {
		ts.Fatalf("usage: password server broken|mended")
	}
	broken(ts, args[0]).Store(args[1] == "broken")
}

// seen checks how often a server was connected to, and how many logins it took
// and refused: "seen office 3 1 2".
func seen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: seen server connections accepted refused")
	}
	s := servers(ts)[args[0]].Stats()
	for i, got := range []int{s.Connections, s.LoginsAccepted, s.LoginsRefused} {
		if want, err := strconv.Atoi(args[i+1]); err != nil || got != want {
			ts.Fatalf("%s has seen %d connections, and taken %d logins and refused %d; want %v", args[0], s.Connections, s.LoginsAccepted, s.LoginsRefused, args[1:])
		}
	}
}
