package accounts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// A store's router is what a client wants.
var _ kaizen.Router = (*accounts.Router)(nil)

const threeAccounts = `[accounts.office]
host = "office.example.com"
[accounts.bulk]
host = "bulk.example.com"
[accounts.backup]
host = "backup.example.com"
`

const everyRoute = `default = "backup"

[[routes]]
name = "news"
tag = ["news", "offers"]
from = "example.com"
accounts = ["office 3", "bulk 1", "backup 0"]
fallback = ["bulk", "backup"]

[[routes]]
to = ["example.org", "*.example.org", "!boss@example.org"]
accounts = "bulk"
`

func letterTo(to ...string) route.Message {
	return route.Message{Envelope: &smtp.Envelope{From: "ann@example.com", To: smtp.To(to...)}}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), everyRoute+threeAccounts)
	table, err := open(t, dir).Routes()
	if err != nil {
		t.Fatal(err)
	}
	want := []route.Rule{
		{Name: "news", From: []string{"example.com"}, Tags: []string{"news", "offers"}, Accounts: []route.Share{{Account: "office", Weight: 3}, {Account: "bulk", Weight: 1}, {Account: "backup", Weight: 0}}, Fallback: []string{"bulk", "backup"}},
		{Name: "rule 2", To: []string{"example.org", "*.example.org", "!boss@example.org"}, Accounts: []route.Share{{Account: "bulk", Weight: 1}}},
	}
	if got := table.Rules(); !reflect.DeepEqual(got, want) || table.Default().String() != "backup" {
		t.Errorf("%+v, default %v", got, table.Default())
	}
}

// Without rules it is the default account; with rules none is needed.
func TestRoutesAndTheDefault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string // or a part of the error
	}{
		"no rules":            {`default = "bulk"` + "\n" + threeAccounts, "bulk"},
		"no rules, one":       {"[accounts.only]\nhost = \"mx\"", "only"},
		"nothing":             {threeAccounts, "several accounts and no default"},
		"no rule, no default": {"[[routes]]\nto = \"example.net\"\naccounts = \"bulk\"\n" + threeAccounts, `rule 1: to a@example.org is not example.net`},
		"no rule":             {"default = \"office\"\n[[routes]]\nto = \"example.net\"\naccounts = \"bulk\"\n" + threeAccounts, "office"},
		"rule":                {"[[routes]]\nto = \"example.org\"\naccounts = \"bulk\"\nfallback = [\"office\"]\n" + threeAccounts, "bulk>office"},
		"default is missing":  {"default = \"offic\"\n[[routes]]\nto = \"example.org\"\naccounts = \"bulk\"\n" + threeAccounts, `did you mean "office"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "kaizen.toml"), c.text)
			parts, err := open(t, dir).Router().Route(letterTo("a@example.org"))
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Error(err)
				}
			} else if len(parts) != 1 || parts[0].Account != c.want {
				t.Errorf("%+v, want %s", parts, c.want)
			}
		})
	}
}

// What is wrong is told with its line.
func TestWrongRoutes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"routes = 1":                           `:1:1: routes: must be tables like [[routes]]`,
		"routes = [1]":                         `:1:1: routes.1: must be a table: [[routes]]`,
		"[[routes]]\nto = \"example.org\"":     `:1:3: routes.1.accounts: is missing`,
		"[[routes]]\naccount = \"office\"":     `:2:1: routes.1.account: unknown key: did you mean "accounts"?`,
		"[[routes]]\naccounts = []":            `:2:1: routes.1.accounts: must be a text or a list`,
		"[[routes]]\naccounts = 3":             `:2:1: routes.1.accounts: must be a text or a list`,
		"[[routes]]\naccounts = [\"a\", 1]":    `:2:1: routes.1.accounts: must be a text or a list`,
		"[[routes]]\naccounts = \"office x\"":  `"office x" is no account with a weight`,
		"[[routes]]\naccounts = \"office -1\"": `"office -1" is no account with a weight`,
		"[[routes]]\naccounts = \"office 0\"":  `no account has a weight above 0`,
		"[[routes]]\naccounts = \"a>b\"":       `"a>b" cannot be an account's name`,
		"[[routes]]\nname = 3":                 `:2:1: routes.1.name: must be a text`,
		"[[routes]]\naccounts = \"office\"\n\n[[routes]]\naccounts = \"office\"\nto = \"b*b@example.org\"":                              `:6:1: routes.2.to: "b*b@example.org": a * stands`,
		"[[routes]]\naccounts = \"office\"\nfrom = [\"exa mple.org\"]":                                                                  `:3:1: routes.1.from: "exa mple.org" is no address`,
		"[[routes]]\naccounts = \"office\"\ntag = \"!\"":                                                                                `:3:1: routes.1.tag: a tag is empty`,
		"[[routes]]\naccounts = \"office\"\nfallback = [\"\"]":                                                                          `:3:1: routes.1.fallback: an account needs a name`,
		"[[routes]]\naccounts = \"office\"\nname=\"a\"\n[[routes]]\naccounts = \"office\"\nname=\"a\"":                                  `:6:1: routes.2.name: another rule has the name "a"`,
		"[[routes]]\naccounts = \"office\"\n[[routes]]\naccounts = [\"bulk\", \"ofice\"]\n" + threeAccounts:                             `:4:1: routes.2.accounts: no account "ofice" in`,
		"[[routes]]\naccounts = \"office\"\n[[routes]]\naccounts = [\"bulk\"]\nfallback = \"bakcup\"\n" + threeAccounts:                 `:5:1: routes.2.fallback: no account "bakcup" in`,
		"[[routes]]\naccounts = \"office\"\n[[routes]]\naccounts = [\"bulk\"]\nto = [\"example.org\", \"a\\u0000b\"]\n" + threeAccounts: `:5:1: routes.2.to.2: has a control character`,
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "kaizen.toml"), text)
		_, err := open(t, dir).Routes()
		var wrong *accounts.FileError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

// A rule that names an account which is not there does not hurt the accounts.
func TestMissingAccountOfARoute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kaizen.toml"), "[[routes]]\naccounts = \"gone\"\n"+threeAccounts)
	s := open(t, dir)
	if _, err := s.Routes(); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if resolve(t, s, "office").Host == "" {
		t.Error("no account")
	}
	write(t, filepath.Join(dir, "accounts.d", "gone.toml"), "host = \"mx\"")
	if _, err := s.Routes(); err != nil {
		t.Errorf("the account is there now: %v", err)
	}
}

// A change is noticed with the next message; rules that have not changed go on with
// their shares.
func TestRoutesReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "kaizen.toml")
	rule := "[[routes]]\nname = \"it\"\naccounts = [\"office 9\", \"bulk 1\"]\n"
	s := open(t, dir)
	router := s.Router()
	count := map[string]int{}
	for i := range 100 {
		if i%5 == 0 {
			write(t, file, fmt.Sprintf("# %d\n%s%s", i, rule, threeAccounts))
		}
		parts, err := router.Route(letterTo("a@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		count[parts[0].Account]++
	}
	if count["bulk"] != 10 {
		t.Errorf("%v", count)
	}
	write(t, file, "[[routes]]\nto = \"example.org\"\naccounts = \"backup\"\n"+threeAccounts)
	if parts, err := router.Route(letterTo("a@example.org")); err != nil || parts[0].Account != "backup" {
		t.Errorf("%+v %v", parts, err)
	}
	must(t, os.Remove(file))
	if _, err := router.Route(letterTo("a@example.org")); err == nil {
		t.Error("the rules are gone")
	}
}

// A client with the store sends by its rules.
func TestRouterOfAClient(t *testing.T) {
	t.Parallel()
	one, two := smtptest.NewServer(smtptest.Config{}), smtptest.NewServer(smtptest.Config{})
	defer one.Close()
	defer two.Close()
	dir := t.TempDir()
	text := "[[routes]]\nto = \"example.org\"\naccounts = \"two\"\n[[routes]]\naccounts = \"one\"\n"
	for name, s := range map[string]*smtptest.Server{"one": one, "two": two} {
		host, port, _ := strings.Cut(s.Addr(), ":")
		text += fmt.Sprintf("[accounts.%s]\nhost = %q\nport = %s\ntls = \"none\"\n", name, host, port)
	}
	write(t, filepath.Join(dir, "kaizen.toml"), text)
	s := open(t, dir)
	client := kaizen.New(kaizen.Config{Accounts: s, Router: s.Router()})
	defer client.Close()
	m := &kaizen.Prepared{Envelope: *letterTo("a@example.org", "b@example.net").Envelope, Content: smtp.Bytes([]byte("Message-ID: <1>\r\n\r\nx\r\n"))}
	r, err := client.Send(t.Context(), kaizen.Account{}, m)
	if err != nil || len(r.Parts) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	if one.Accepted()["<1>"].Recipients[0] != "b@example.net" || two.Accepted()["<1>"].Recipients[0] != "a@example.org" {
		t.Errorf("%+v %+v", one.Accepted(), two.Accepted())
	}
}

// Whatever is written there: either rules, or an error with its place.
func FuzzRoutes(f *testing.F) {
	f.Add(everyRoute)
	for _, text := range []string{"[[routes]]", "routes = [{accounts='a'}]", "[[routes]]\naccounts=['a 1','b']\nfrom='<>'", "[routes]", "[[routes.x]]", "routes=[[]]"} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		write(t, filepath.Join(dir, "kaizen.toml"), text)
		table, err := open(t, dir).Routes()
		if err != nil {
			var wrong *accounts.FileError
			var none *accounts.NoDefaultError
			var twice *accounts.DuplicateError
			if !errors.As(err, &wrong) && !errors.As(err, &none) && !errors.As(err, &twice) {
				t.Fatal(err)
			}
			return
		}
		if parts, err := table.Route(letterTo("a@example.org")); err == nil && len(parts) != 1 {
			t.Fatalf("%+v", parts)
		}
	})
}
