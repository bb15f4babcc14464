package kaizen_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const modulePath = "github.com/kaizenmail/kaizen"

// rung says what the non-test files of one directory may import. "…/" at the
// end of an entry permits everything below it, "*" everything.
type rung struct {
	dir   string
	ours  []string // directories of this module
	third []string // packages of other modules
}

// ladder is the order of the packages, lowest first. Imports point down it.
var ladder = []rung{
	{dir: "internal/proxy", third: []string{"golang.org/x/…/"}},
	{dir: "smtp", ours: []string{"internal/proxy"}, third: []string{"golang.org/x/…/", "github.com/emersion/go-sasl", "github.com/xdg-go/scram"}},
	{dir: "smtp/smtptest"}, // not even smtp: they must not share errors
	{dir: "internal/crashpoint"},
	{dir: "route", ours: []string{"smtp"}, third: []string{"golang.org/x/…/"}},
	{dir: "queue", ours: []string{"smtp"}, third: []string{"golang.org/x/…/"}},
	{dir: "queue/queuetest", ours: []string{"smtp", "queue"}},
	{dir: "queue/memory", ours: []string{"smtp", "queue"}},

	{dir: "sendmail", ours: []string{"smtp"}},
	{dir: "maildrop", ours: []string{"smtp"}},
	{dir: "message", ours: []string{"smtp"}, third: []string{"golang.org/x/…/", "github.com/emersion/go-msgauth/dkim"}},
	{dir: "message/mailtemplate", ours: []string{"message"}, third: []string{"*"}},
	{dir: "internal/safefile", third: []string{"golang.org/x/…/"}},
	{dir: "internal/limit", ours: []string{"smtp"}},
	{dir: "internal/state", ours: []string{"smtp", "internal/limit", "internal/safefile"}, third: []string{"golang.org/x/…/"}},
	{dir: "internal/pool", ours: []string{"smtp", "internal/limit"}},
	{dir: "internal/delivery", ours: []string{"smtp", "queue", "internal/limit", "internal/crashpoint"}},

	{dir: ".", ours: []string{"smtp", "route", "sendmail", "maildrop", "queue", "queue/memory", "message", "internal/limit", "internal/pool", "internal/state", "internal/delivery"},
		third: []string{"golang.org/x/…/"}},

	{dir: "accounts/oauth", third: []string{"golang.org/x/…/"}},
	{dir: "accounts", ours: []string{".", "smtp", "route", "sendmail", "maildrop", "queue", "internal/proxy", "internal/safefile", "accounts/oauth"}, third: []string{"*"}},
	{dir: "queue/sqlite", ours: []string{"smtp", "queue", "internal/safefile", "internal/crashpoint"}, third: []string{"*"}},
	{dir: "queue/postgres", ours: []string{"smtp", "queue"}, third: []string{"*"}},
	{dir: "kaizenprom", ours: []string{".", "smtp", "queue"}, third: []string{"*"}},
	{dir: "kaizenotel", ours: []string{".", "smtp"}, third: []string{"*"}},
	{dir: "internal/ingress", ours: []string{".", "smtp", "message", "queue"}},
	{dir: "internal/httpapi", ours: []string{".", "smtp", "message", "queue"}},
	{dir: "internal/dashboard", ours: []string{".", "smtp", "queue"}},
	{dir: "internal/webhook", ours: []string{".", "smtp", "queue"}},

	{dir: "internal/bulk", ours: []string{".", "smtp", "queue", "message", "message/mailtemplate", "internal/safefile"}, third: []string{"golang.org/x/…/"}},
	{dir: "internal/daemon", ours: []string{"…/"}, third: []string{"*"}},
	{dir: "cmd/kaizen", ours: []string{"…/"}, third: []string{"*"}},
	{dir: "test/corpus", ours: []string{"message", "smtp"}},
	{dir: "test/crash", ours: []string{"smtp", "smtp/smtptest", "queue", "test/crash/task"}},
	{dir: "test/crash/child", ours: []string{".", "smtp", "queue", "queue/sqlite", "test/crash/task"}},
	{dir: "test/crash/task", ours: []string{"queue"}},
	{dir: "test/leak"}, // nothing of what it judges
	{dir: "test/secrets", ours: []string{"test/leak"}},
	{dir: "test/soak", ours: []string{".", "smtp", "smtp/smtptest"}},
}

// notInSenders are packages that a program which only sends must not link.
// net/http/httptrace is none: it needs nothing of net/http.
var notInSenders = []string{"net/http", "database/sql", "filippo.io/age", "modernc.org/sqlite", "github.com/ncruces/go-sqlite3", "github.com/jackc/pgx",
	"github.com/prometheus", "go.opentelemetry.io/otel"}

func importsPointDown(t tree) (complaints []string) {
	for dir, files := range t.packages() {
		i := slices.IndexFunc(ladder, func(r rung) bool { return r.dir == dir })
		if i < 0 {
			complaints = append(complaints, dir+": no place on the ladder yet; give it a row in ladder_test.go")
			continue
		}
		for _, f := range files {
			for _, imported := range f.imports() {
				if !ladder[i].permits(imported) {
					complaints = append(complaints, fmt.Sprintf("%s: %s must not import %s; move the code, or change ladder_test.go and say why", f.path, dir, imported))
				}
			}
		}
	}
	return complaints
}

// sendersStaySmall follows our own imports from the root and looks at what
// they need from elsewhere.
func sendersStaySmall(t tree) (complaints []string) {
	packages := t.packages()
	seen := map[string]bool{".": true}
	for next := []string{"."}; len(next) > 0; {
		dir := next[0]
		next = next[1:]
		for _, f := range packages[dir] {
			for _, imported := range f.imports() {
				if below, ok := ourDir(imported); ok {
					if !seen[below] {
						seen[below] = true
						next = append(next, below)
					}
				} else if slices.ContainsFunc(notInSenders, func(p string) bool { return within(imported, p) }) && imported != "net/http/httptrace" {
					complaints = append(complaints, fmt.Sprintf("%s: the root package reaches %s through it; a program that only sends must not link that", f.path, imported))
				}
			}
		}
	}
	return complaints
}

func (r rung) permits(imported string) bool {
	if dir, ok := ourDir(imported); ok {
		return matches(r.ours, dir)
	}
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") || matches(r.third, imported)
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, all := strings.CutSuffix(p, "…/")
		return p == "*" || p == name || all && strings.HasPrefix(name, below)
	})
}

// ourDir returns the directory of an import path of this module.
func ourDir(imported string) (string, bool) {
	if !within(imported, modulePath) {
		return "", false
	}
	return path.Clean("./" + strings.TrimPrefix(imported, modulePath)), true
}

func within(imported, parent string) bool {
	return imported == parent || strings.HasPrefix(imported, parent+"/")
}
