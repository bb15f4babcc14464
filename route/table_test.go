package route_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

func table(t testing.TB, standard string, rules ...route.Rule) *route.Table {
	t.Helper()
	made, err := route.New(route.Config{Rules: rules, Default: standard})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func only(account string) []route.Share { return []route.Share{{Account: account, Weight: 1}} }

func message(from string, to ...string) route.Message {
	return route.Message{Envelope: &smtp.Envelope{From: from, To: smtp.To(to...)}}
}

func tagged(m route.Message, tags ...string) route.Message {
	m.Tags = tags
	return m
}

// conditions are all there are, each with messages that meet it and messages that
// do not: whoever inverts one fails both ways.
var conditions = map[string]struct {
	rule    route.Rule
	matches []route.Message
	misses  []route.Message
}{
	"sender by address": {route.Rule{From: []string{"Ann@Example.com"}},
		[]route.Message{message("ann@example.COM", "b@x.net")},
		[]route.Message{message("bob@example.com", "b@x.net"), message("ann@sub.example.com", "b@x.net"), message("", "b@x.net")}},
	"sender by domain": {route.Rule{From: []string{"example.com"}},
		[]route.Message{message("ann@EXAMPLE.com", "b@x.net"), message(`"a@b"@example.com`, "b@x.net")},
		[]route.Message{message("ann@sub.example.com", "b@x.net"), message("ann@badexample.com", "b@x.net"), message("", "b@x.net")}},
	"anybody at a domain": {route.Rule{From: []string{"*@example.com", "@example.net"}},
		[]route.Message{message("ann@EXAMPLE.com", "b@x.net"), message("ann@example.net", "b@x.net")},
		[]route.Message{message("ann@sub.example.com", "b@x.net"), message("", "b@x.net"), message("ann@example.org", "b@x.net")}},
	"sender below a domain": {route.Rule{From: []string{"*.example.com"}},
		[]route.Message{message("ann@sub.example.com", "b@x.net"), message("ann@a.b.EXAMPLE.com", "b@x.net")},
		[]route.Message{message("ann@example.com", "b@x.net"), message("ann@subexample.com", "b@x.net")}},
	"null sender": {route.Rule{From: []string{"<>"}},
		[]route.Message{message("", "b@x.net")},
		[]route.Message{message("ann@example.com", "b@x.net")}},
	"not this sender": {route.Rule{From: []string{"!ann@example.com"}},
		[]route.Message{message("bob@example.com", "b@x.net"), message("", "b@x.net")},
		[]route.Message{message("Ann@example.com", "b@x.net")}},
	"not the null sender": {route.Rule{From: []string{"!<>"}},
		[]route.Message{message("bob@example.com", "b@x.net")},
		[]route.Message{message("", "b@x.net")}},
	"a domain without one": {route.Rule{From: []string{"example.com", "!ann@example.com"}},
		[]route.Message{message("bob@example.com", "b@x.net")},
		[]route.Message{message("ann@example.com", "b@x.net"), message("bob@x.net", "b@x.net")}},
	"one of several senders": {route.Rule{From: []string{"ann@example.com", "example.org"}},
		[]route.Message{message("ann@example.com", "b@x.net"), message("eve@example.org", "b@x.net")},
		[]route.Message{message("eve@example.com", "b@x.net")}},
	"recipient by address": {route.Rule{To: []string{"bob@example.net"}},
		[]route.Message{message("a@x.com", "BOB@example.net")},
		[]route.Message{message("bob@example.net", "eve@example.net")}},
	"recipient by domain": {route.Rule{To: []string{"example.net"}},
		[]route.Message{message("a@x.com", "bob@Example.Net")},
		[]route.Message{message("a@example.net", "bob@sub.example.net")}},
	"recipient below a domain": {route.Rule{To: []string{"*.example.net"}},
		[]route.Message{message("a@x.com", "bob@sub.example.net")},
		[]route.Message{message("a@x.com", "bob@example.net")}},
	"not this recipient domain": {route.Rule{To: []string{"!example.net"}},
		[]route.Message{message("a@x.com", "bob@example.org")},
		[]route.Message{message("a@x.com", "bob@example.net")}},
	"domain beyond ASCII": {route.Rule{To: []string{"Grün.example"}},
		[]route.Message{message("a@x.com", "bob@grün.example"), message("a@x.com", "bob@XN--grn-ioa.example")},
		[]route.Message{message("a@x.com", "bob@grun.example")}},
	"domain in A-labels": {route.Rule{To: []string{"*.xn--grn-ioa.example"}},
		[]route.Message{message("a@x.com", "bob@mail.grün.example")},
		[]route.Message{message("a@x.com", "bob@grün.example")}},
	"address literal": {route.Rule{To: []string{"[192.0.2.1]"}},
		[]route.Message{message("a@x.com", "bob@[192.0.2.1]")},
		[]route.Message{message("a@x.com", "bob@[192.0.2.2]")}},
	"tag": {route.Rule{Tags: []string{"news"}},
		[]route.Message{tagged(message("a@x.com", "b@x.net"), "spring", "news")},
		[]route.Message{message("a@x.com", "b@x.net"), tagged(message("a@x.com", "b@x.net"), "News", "newsletter")}},
	"one of several tags": {route.Rule{Tags: []string{"news", "offers"}},
		[]route.Message{tagged(message("a@x.com", "b@x.net"), "offers")},
		[]route.Message{tagged(message("a@x.com", "b@x.net"), "invoice")}},
	"not this tag": {route.Rule{Tags: []string{"!news"}},
		[]route.Message{message("a@x.com", "b@x.net"), tagged(message("a@x.com", "b@x.net"), "invoice")},
		[]route.Message{tagged(message("a@x.com", "b@x.net"), "invoice", "news")}},
	"all conditions": {route.Rule{From: []string{"example.com"}, To: []string{"example.net"}, Tags: []string{"news"}},
		[]route.Message{tagged(message("a@example.com", "b@example.net"), "news")},
		[]route.Message{
			tagged(message("a@example.org", "b@example.net"), "news"),
			tagged(message("a@example.com", "b@example.org"), "news"),
			tagged(message("a@example.com", "b@example.net"), "invoice"),
		}},
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for name, c := range conditions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.rule.Name, c.rule.Accounts = "it", only("yes")
			rules := table(t, "no", c.rule)
			for want, messages := range map[string][]route.Message{"yes": c.matches, "no": c.misses} {
				for _, m := range messages {
					parts, err := rules.Route(m)
					if err != nil || len(parts) != 1 || parts[0].Account != want {
						t.Errorf("%+v %v: %+v %v, want %s", m.Envelope, m.Tags, parts, err, want)
					}
					explained := rules.Explain(m)[0]
					if matches := explained.Checks[0].Matches; matches != (want == "yes") || explained.Checks[0].Why == "" || explained.Choices[0].Chain.String() != want {
						t.Errorf("%+v %v: explained as %+v", m.Envelope, m.Tags, explained)
					}
				}
			}
		})
	}
}

// A rule without conditions is for all; the first that matches is taken.
func TestFirstMatch(t *testing.T) {
	t.Parallel()
	rules := table(t, "", route.Rule{Name: "inside", To: []string{"example.com"}, Accounts: only("office")},
		route.Rule{Name: "inside too", To: []string{"example.com"}, Accounts: only("wrong")},
		route.Rule{Accounts: only("rest")})
	for to, want := range map[string]string{"a@example.com": "office inside", "a@example.net": "rest rule 3"} {
		parts, err := rules.Route(message("x@example.org", to))
		if err != nil || len(parts) != 1 || parts[0].Account+" "+strings.Join(parts[0].Rules, ",") != want {
			t.Errorf("%s: %+v %v, want %s", to, parts, err, want)
		}
	}
}

// Each recipient has its own rule; those with the same accounts go together.
func TestSplit(t *testing.T) {
	t.Parallel()
	rules := table(t, "rest", route.Rule{Name: "a", To: []string{"a.example"}, Accounts: only("one")},
		route.Rule{Name: "b", To: []string{"b.example"}, Accounts: only("two"), Fallback: []string{"rest"}},
		route.Rule{Name: "c", To: []string{"c.example"}, Accounts: only("one")})
	got, err := rules.Route(message("x@example.org", "1@b.example", "2@a.example", "3@d.example", "4@c.example", "5@b.example"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Why = ""
	}
	want := []route.Part{
		{Account: "two>rest", Recipients: []int{0, 4}, Rules: []string{"b"}},
		{Account: "one", Recipients: []int{1, 3}, Rules: []string{"a", "c"}},
		{Account: "rest", Recipients: []int{2}, Rules: []string{route.DefaultRule}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// Nobody to send through: the error tells why of every rule.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	rules := table(t, "", route.Rule{Name: "inside", To: []string{"example.com", "*.example.com"}, Accounts: only("office")},
		route.Rule{Tags: []string{"news"}, Accounts: only("bulk")})
	_, err := rules.Route(message("x@example.org", "a@example.com", "b@example.net"))
	var none *route.NoRouteError
	if !errors.As(err, &none) || none.Recipient != "b@example.net" || len(none.Checks) != 2 {
		t.Fatalf("%v", err)
	}
	want := `no rule matches b@example.net, and there is no default account; rule "inside": to b@example.net is not example.com or *.example.com; rule 2: it has no tag news`
	if err.Error() != want {
		t.Errorf("%s", err)
	}
	explained := rules.Explain(message("x@example.org", "b@example.net"))[0]
	if explained.Rule != "" || explained.Choices != nil || explained.Why == "" {
		t.Errorf("%+v", explained)
	}
}

func shares(weights ...int) (list []route.Share) {
	for i, w := range weights {
		list = append(list, route.Share{Account: fmt.Sprintf("a%d", i), Weight: w})
	}
	return list
}

// within fails unless the counts are within 2 % of what the weights say.
func within(t *testing.T, count map[string]int, n int, of []route.Share) {
	t.Helper()
	total, all := 0, 0
	for _, s := range of {
		total += s.Weight
	}
	for _, s := range of {
		want := float64(n) * float64(s.Weight) / float64(total)
		if got := float64(count[s.Account]); got < want*0.98 || got > want*1.02 {
			t.Errorf("%s got %v of %d, want %v", s.Account, got, n, want)
		}
		all += count[s.Account]
	}
	if all != n {
		t.Errorf("%d of %d were given", all, n)
	}
}

// Shares are exact, also from many goroutines, and mixed: nobody gets two turns
// too many at any time.
func TestShares(t *testing.T) {
	t.Parallel()
	for _, of := range [][]route.Share{shares(1, 1), shares(3, 1), shares(70, 20, 10), shares(1, 0, 4), shares(999_983, 500_009, 0, 250_007)} {
		t.Run(fmt.Sprint(of), func(t *testing.T) {
			t.Parallel()
			rules := table(t, "", route.Rule{Accounts: of})
			const goroutines, each = 20, 500
			counts := make([]map[string]int, goroutines)
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					counts[g] = map[string]int{}
					for range each {
						parts, err := rules.Route(message("x@example.org", "a@example.net", "b@example.net"))
						if err != nil || len(parts) != 1 {
							t.Errorf("%+v %v", parts, err)
							return
						}
						counts[g][parts[0].Account]++
					}
				})
			}
			wg.Wait()
			sum := map[string]int{}
			for _, c := range counts {
				for account, n := range c {
					sum[account] += n
				}
			}
			within(t, sum, goroutines*each, of)
		})
	}
}

// Processes that send a single message each share them too.
func TestSharesOfManyTables(t *testing.T) {
	t.Parallel()
	of := shares(3, 1)
	count := map[string]int{}
	const n = 20_000
	for range n {
		parts, err := table(t, "", route.Rule{Accounts: of}).Route(message("x@example.org", "a@example.net"))
		if err != nil {
			t.Fatal(err)
		}
		count[parts[0].Account]++
	}
	if got := count["a1"]; got < n/4*9/10 || got > n/4*11/10 { // by chance: 16 times the deviation to be expected
		t.Errorf("a1 got %d of %d", got, n)
	}
}

// A key has one account in every table, whatever was sent before; keys share as
// messages do, and an account more takes keys from the others alone.
func TestKeys(t *testing.T) {
	t.Parallel()
	of, more := shares(3, 1, 0), shares(3, 1, 0, 1)
	a, b, wider := table(t, "", route.Rule{Accounts: of}), table(t, "", route.Rule{Accounts: of}), table(t, "", route.Rule{Accounts: more})
	count := map[string]int{}
	const n = 10_000
	for i := range n {
		m := message("x@example.org", "a@example.net")
		m.Key = fmt.Sprintf("invoice-%d", i)
		one, _ := a.Route(m)
		two, _ := b.Route(m)
		three, _ := wider.Route(m)
		if one[0].Account != two[0].Account || three[0].Account != one[0].Account && three[0].Account != "a3" {
			t.Fatalf("%s: %+v %+v %+v", m.Key, one, two, three)
		}
		if choices := a.Explain(m)[0].Choices; len(choices) != 1 || choices[0].Chain.String() != one[0].Account {
			t.Fatalf("%s: explained as %+v", m.Key, choices)
		}
		count[one[0].Account]++
		_, _ = b.Route(message("x@example.org", "a@example.net"))
	}
	if got := count["a1"]; got < n/4*9/10 || got > n/4*11/10 || count["a2"] != 0 {
		t.Errorf("%v", count)
	}
}

// Explain takes no turn.
func TestExplainTakesNoTurn(t *testing.T) {
	t.Parallel()
	of := shares(1, 1)
	rules := table(t, "", route.Rule{Accounts: of, Fallback: []string{"a0", "a1", "last"}})
	last := ""
	for range 100 {
		want := []route.Choice{{Chain: route.Chain{"a0", "a1", "last"}, Weight: 1, Total: 2}, {Chain: route.Chain{"a1", "a0", "last"}, Weight: 1, Total: 2}}
		if got := rules.Explain(message("x@example.org", "a@example.net"))[0].Choices; !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v", got)
		}
		parts, err := rules.Route(message("x@example.org", "a@example.net"))
		if err != nil || parts[0].Account == last {
			t.Fatalf("the turns are disturbed: %+v %v", parts, err)
		}
		last = parts[0].Account
	}
}

// A table that replaces another goes on where it was, for rules whose shares are
// the same.
func TestEarlier(t *testing.T) {
	t.Parallel()
	rules := []route.Rule{{Name: "it", Accounts: shares(9, 1)}}
	now := table(t, "", rules...)
	for range 20 {
		count := map[string]int{}
		for i := range 100 {
			if i%5 == 0 {
				other := route.Rule{Name: fmt.Sprint("other ", i), Tags: []string{"x"}, Accounts: only("other")}
				var err error
				if now, err = route.New(route.Config{Rules: append([]route.Rule{other}, rules...), Earlier: now}); err != nil {
					t.Fatal(err)
				}
			}
			parts, err := now.Route(message("x@example.org", "a@example.net"))
			if err != nil {
				t.Fatal(err)
			}
			count[parts[0].Account]++
		}
		if count["a1"] != 10 {
			t.Fatalf("%v", count)
		}
	}
}

// What is wrong with a rule is told with its name and field.
func TestRulesThatAreNone(t *testing.T) {
	t.Parallel()
	for field, bad := range map[string][]route.Rule{
		"name": {{Name: "default"}, {Name: "a\nb"}, {Name: "twice"}},
		"from": {{From: []string{"*"}}, {From: []string{""}}, {From: []string{"!"}}, {From: []string{"b*b@example.com"}}, {From: []string{"*@*"}}, {From: []string{"@"}}, {From: []string{"*example.com"}},
			{From: []string{"a b@example.com"}}, {From: []string{"Ann <ann@example.com>"}}, {From: []string{"bob@*.example.com"}}, {From: []string{"*.*.example"}}, {From: []string{"*."}}},
		"to":       {{To: []string{"<>"}}, {To: []string{"a@"}}, {To: []string{"exa mple.com"}}, {To: []string{"example.com."}}, {To: []string{"a..b"}}},
		"tag":      {{Tags: []string{""}}, {Tags: []string{"!"}}},
		"accounts": {{Accounts: []route.Share{}}, {Accounts: shares(0, 0)}, {Accounts: shares(-1, 2)}, {Accounts: shares(route.MaxWeight + 1)}, {Accounts: append(only("a"), only("a")...)}, {Accounts: only("a>b")}, {Accounts: only("")}, {Accounts: only(" a")}},
		"fallback": {{Fallback: []string{""}}, {Fallback: []string{"a", "a"}}, {Fallback: []string{"a>b"}}, {Fallback: []string{strings.Repeat("x", route.MaxChain)}}},
	} {
		for _, r := range bad {
			if r.Accounts == nil {
				r.Accounts = only("office")
			}
			_, err := route.New(route.Config{Rules: []route.Rule{{Name: "twice", Accounts: only("x")}, r}})
			var wrong *route.RuleError
			if !errors.As(err, &wrong) || wrong.Field != field || wrong.Index != 1 || !strings.HasPrefix(err.Error(), "rule ") {
				t.Errorf("%s %+v: %v", field, r, err)
			}
		}
	}
	for _, standard := range []string{">", "a>", "a>a", "a>>b"} {
		if _, err := route.New(route.Config{Default: standard}); err == nil {
			t.Errorf("default %q was taken", standard)
		}
	}
}

// What a caller changes afterwards changes no rule.
func TestRulesAreCopied(t *testing.T) {
	t.Parallel()
	given := []route.Rule{{To: []string{"example.net"}, Accounts: only("office")}}
	rules := table(t, "", given...)
	given[0].Accounts[0].Account, given[0].To[0] = "other", "example.org"
	rules.Rules()[0].Accounts[0].Account = "other"
	rules.Explain(message("x@example.org", "a@example.net"))
	if parts, err := rules.Route(message("x@example.org", "a@example.net")); err != nil || parts[0].Account != "office" {
		t.Errorf("%+v %v", parts, err)
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	c, err := route.ParseChain(" office >backup> last")
	if err != nil || !slices.Equal(c, route.Chain{"office", "backup", "last"}) || c.String() != "office>backup>last" {
		t.Errorf("%v %v", c, err)
	}
	for _, bad := range []string{"", " ", ">", "a>", ">a", "a>>b", "a>b>a", "a\n>b", strings.Repeat("a", 255) + ">b"} {
		if c, err := route.ParseChain(bad); err == nil {
			t.Errorf("%q was read as %v", bad, c)
		}
	}
	var read route.Chain
	text, _ := c.MarshalText()
	if err := read.UnmarshalText(text); err != nil || !slices.Equal(read, c) {
		t.Errorf("%v %v", read, err)
	}
	if route.IsChain("office") || !route.IsChain("office>backup") {
		t.Error("IsChain")
	}
}
