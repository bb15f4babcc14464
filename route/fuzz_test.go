package route_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/route"
)

// No pattern and no address break anything, what Explain says is what Route does,
// and "!" turns a condition around.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{"example.com", "*.example.com", "bob@example.com", "<>", "!x@y.z", "[192.0.2.1]", "grün.example", `"a@b"@c.d`, "*", "@", "!"} {
		f.Add(pattern, "ann@example.com", "bob@sub.example.com")
	}
	f.Fuzz(func(t *testing.T, pattern, from, to string) {
		pattern = strings.TrimLeft(pattern, "!")
		var accounts [2]string
		for i, text := range []string{pattern, "!" + pattern} {
			rules, err := route.New(route.Config{Rules: []route.Rule{{From: []string{text}, Accounts: only("yes")}}, Default: "no"})
			if err != nil {
				return
			}
			parts, err := rules.Route(message(from, to))
			if err != nil || len(parts) != 1 {
				t.Fatalf("%+v %v", parts, err)
			}
			accounts[i] = parts[0].Account
			if explained := rules.Explain(message(from, to))[0]; explained.Choices[0].Chain.String() != accounts[i] || explained.Checks[0].Matches != (accounts[i] == "yes") {
				t.Fatalf("%s: %+v", accounts[i], explained)
			}
		}
		if accounts[0] == accounts[1] {
			t.Fatalf("%q and !%q both give %s for %q", pattern, pattern, accounts[0], from)
		}
	})
}

// A chain is read as it was written.
func FuzzChain(f *testing.F) {
	f.Add("office>backup")
	f.Add(" a > b ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := route.ParseChain(text)
		if err != nil {
			return
		}
		again, err := route.ParseChain(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q: %q %v", text, again, err)
		}
	})
}
