package kaizen_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// rule is something every file or package holds to.
type rule struct {
	name    string
	check   func(tree) (complaints []string)
	refuses map[string]string // files, each of which alone must draw a complaint
}

const (
	maxLines       = 500
	maxTestLines   = 800
	maxReadmeLines = 150
)

// emptyNames say nothing about what is inside.
var emptyNames = strings.Fields("util utils helper helpers common misc tools types models base manager")

var rules = []rule{
	{"packages are introduced", packagesAreIntroduced, map[string]string{
		"smtp/dial.go": "package smtp\n",
		"smtp/mail.go": "// Some words.\npackage smtp\n",
	}},
	{"names say something", namesSaySomething, map[string]string{
		"smtp/utils.go":       "package smtp\n",
		"internal/base/at.go": "package base\n",
		"smtp/helper_test.go": "package smtp\n",
		"smtp/kind.go":        "package types\n",
	}},
	{"files are short", filesAreShort, map[string]string{
		"smtp/long.go":      "package smtp\n" + strings.Repeat("\n", maxLines),
		"smtp/long_test.go": "package smtp\n" + strings.Repeat("\n", maxTestLines),
	}},
	{"the README is short", readmeIsShort, map[string]string{"README.md": strings.Repeat("\n", maxReadmeLines+1)}},
	{"imports point down", importsPointDown, map[string]string{
		"smtp/up.go":            "package smtp\nimport _ \"github.com/kaizenmail/kaizen\"\n",
		"smtp/smtptest/side.go": "package smtptest\nimport _ \"github.com/kaizenmail/kaizen/smtp\"\n",
		"smtp/foreign.go":       "package smtp\nimport _ \"example.org/anything\"\n",
		"root.go":               "package kaizen\nimport _ \"github.com/kaizenmail/kaizen/accounts\"\n",
		"elsewhere/new.go":      "package elsewhere\n",
	}},
	{"senders stay small", sendersStaySmall, map[string]string{
		"http.go": "package kaizen\nimport _ \"net/http\"\n",
		"sql.go":  "package kaizen\nimport _ \"database/sql\"\n",
		"age.go":  "package kaizen\nimport _ \"filippo.io/age/armor\"\n",
	}},
	{"nothing happens at import", nothingHappensAtImport, map[string]string{
		"smtp/at.go": "package smtp\nfunc init() {}\n",
	}},
	{"tests do not sleep", testsDoNotSleep, map[string]string{
		"smtp/nap_test.go": "package smtp\nimport \"time\"\nfunc f() { time.Sleep(1) }\n",
	}},
	{"tests are not skipped", testsAreNotSkipped, map[string]string{
		"smtp/a_test.go": "package smtp\nfunc f(t *testing.T) { t.Skip() }\n",
		"smtp/b_test.go": "package smtp\nfunc f(b *testing.B) { b.Skipf(\"no\") }\n",
		"smtp/c_test.go": "package smtp\n// skip: too far up.\n\nfunc f(t *testing.T) { t.SkipNow() }\n",
	}},
	{"exported names are documented", exportedNamesAreDocumented, map[string]string{
		"smtp/f.go": "package smtp\nfunc F() {}\n",
		"smtp/t.go": "package smtp\ntype T int\n",
		"smtp/m.go": "package smtp\ntype T int // T is.\nfunc (t *T) M() {}\n",
		"smtp/c.go": "package smtp\nconst A, B = 1, 2\n",
		"smtp/v.go": "package smtp\nvar (\n\tV = 1\n)\n",
		"smtp/g.go": "package smtp\n// G is.\ntype G[E any] struct{}\nfunc (g G[E]) M() {}\n",
	}},
}

func packagesAreIntroduced(t tree) (complaints []string) {
	introduced := map[string]bool{}
	for _, f := range t.files {
		dir, name := path.Dir(f.path), f.syntax.Name.Name
		want := "Package " + name + " "
		if name == "main" {
			want = "Command "
		}
		introduced[dir] = introduced[dir] || strings.HasPrefix(f.syntax.Doc.Text(), want)
	}
	for dir, ok := range introduced {
		if !ok {
			complaints = append(complaints, dir+`: no package comment; begin one with "Package name …" (a program's with "Command name …") and say what it is for`)
		}
	}
	return complaints
}

func namesSaySomething(t tree) (complaints []string) {
	for _, f := range t.files {
		base := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
		for _, name := range []string{base, path.Base(path.Dir(f.path)), f.syntax.Name.Name} {
			if slices.Contains(emptyNames, name) {
				complaints = append(complaints, fmt.Sprintf("%s: %q does not say what is inside; name it after the thing or the deed", f.path, name))
			}
		}
	}
	return complaints
}

func filesAreShort(t tree) (complaints []string) {
	for _, f := range t.files {
		limit := maxLines
		if f.isTest() {
			limit = maxTestLines
		}
		if f.lines > limit && !f.generated {
			complaints = append(complaints, fmt.Sprintf("%s: %d lines, at most %d; find the seam and split it", f.path, f.lines, limit))
		}
	}
	return complaints
}

func readmeIsShort(t tree) []string {
	if t.readmeLines > maxReadmeLines {
		return []string{fmt.Sprintf("README.md: %d lines, at most %d; move the rest to docs", t.readmeLines, maxReadmeLines)}
	}
	return nil
}

func nothingHappensAtImport(t tree) (complaints []string) {
	for _, f := range t.files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				complaints = append(complaints, f.at(fn.Pos())+": no init; do it where it is needed")
			}
		}
	}
	return complaints
}

// testsDoNotSleep leaves tests alone that use testing/synctest: there, sleeping
// is how time passes, and costs none.
func testsDoNotSleep(t tree) (complaints []string) {
	for _, f := range t.files {
		if !f.isTest() || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		for call := range f.calls() {
			if name(call.X) == "time" && call.Sel.Name == "Sleep" {
				complaints = append(complaints, f.at(call.Pos())+": a test must not sleep; wait for the event, or run under testing/synctest")
			}
		}
	}
	return complaints
}

// testsAreNotSkipped accepts a skip whose reason stands in a comment on the
// line above: "// skip: only where there is a C compiler".
func testsAreNotSkipped(t tree) (complaints []string) {
	for _, f := range t.files {
		reasons := map[int]bool{}
		for _, group := range f.syntax.Comments {
			if strings.HasPrefix(group.Text(), "skip: ") {
				reasons[f.line(group.End())+1] = true
			}
		}
		for call := range f.calls() {
			of := name(call.X)
			skips := call.Sel.Name == "Skip" || call.Sel.Name == "Skipf" || call.Sel.Name == "SkipNow"
			if skips && f.isTest() && (of == "t" || of == "b" || of == "f" || of == "tb") && !reasons[f.line(call.Pos())] {
				complaints = append(complaints, f.at(call.Pos())+`: no skipped tests; if it must be, give the reason on the line above: "// skip: …"`)
			}
		}
	}
	return complaints
}

func exportedNamesAreDocumented(t tree) (complaints []string) {
	for _, f := range t.files {
		if f.isTest() || f.generated || f.syntax.Name.Name == "main" {
			continue
		}
		for _, id := range undocumented(f.syntax) {
			complaints = append(complaints, fmt.Sprintf("%s: %s is exported and has no comment; say what a caller must know", f.at(id.Pos()), id.Name))
		}
	}
	return complaints
}

// undocumented returns the exported top-level names without a comment. One
// comment above a group of constants or variables speaks for all of them.
func undocumented(file *ast.File) (found []*ast.Ident) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && receiverIsExported(d) {
				found = append(found, d.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				found = append(found, undocumentedIn(s, d.Doc != nil)...)
			}
		}
	}
	return found
}

func undocumentedIn(s ast.Spec, groupIs bool) (found []*ast.Ident) {
	var names []*ast.Ident
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Doc == nil && s.Comment == nil && !groupIs {
			names = []*ast.Ident{s.Name}
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil && !groupIs {
			names = s.Names
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(id *ast.Ident) bool { return !id.IsExported() })
}

func receiverIsExported(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if ok {
			exported = id.IsExported()
		}
		return !ok && !exported // the first name is the type; those in brackets are its parameters
	})
	return exported
}

// calls yields every call of the form x.F(…).
func (f *source) calls() func(yield func(*ast.SelectorExpr) bool) {
	return func(yield func(*ast.SelectorExpr) bool) {
		more := true
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && more {
				if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
					more = yield(selector)
				}
			}
			return more
		})
	}
}

func name(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return token.ILLEGAL.String()
}
