package bulk_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/internal/bulk"
)

// rows reads a whole table and tells its rows in words.
func rows(table *bulk.Table) (told []string, err error) {
	for {
		row, err := table.Next()
		if err == io.EOF {
			return told, nil
		}
		if err != nil {
			return told, err
		}
		told = append(told, fmt.Sprintf("%d@%d%v", row.Number, row.Line, row.Values))
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"plain", "email,name\na@x.org,Ann\nb@x.org,\n", "1@2map[email:a@x.org name:Ann] 2@3map[email:b@x.org name:]"},
		{"semicolons of a spreadsheet", "email;name\r\na@x.org;Lee, Ann\r\n", "1@2map[email:a@x.org name:Lee, Ann]"},
		{"tabs", "email\tname\na@x.org\tAnn\n", "1@2map[email:a@x.org name:Ann]"},
		{"byte order mark, spaces around names", "\ufeff email , name\na@x.org,Ann\n", "1@2map[email:a@x.org name:Ann]"},
		{"quotes and lines inside", "email,note\na@x.org,\"one\n\"\"two\"\"\"\nb@x.org,x", "1@2map[email:a@x.org note:one\n\"two\"] 2@4map[email:b@x.org note:x]"},
		{"empty columns and lines", "email,,\n\na@x.org,,\n\n", "1@3map[email:a@x.org]"},
		{"no rows", "email\n", ""},
		{"one column with a lone word", "email", ""},
	} {
		table, err := bulk.CSV(strings.NewReader(c.text), 0)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := rows(table)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	table := bulk.JSONLines(strings.NewReader("\ufeff{\"email\":\"a@x.org\",\"id\":12345678901234567890,\"tags\":[\"x\"]}\n\n  {\"email\":null}"))
	got, err := rows(table)
	want := "1@1map[email:a@x.org id:12345678901234567890 tags:[x]] 2@3map[email:<nil>]"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestNumbersOfJSON(t *testing.T) {
	t.Parallel()
	row, err := bulk.JSONLines(strings.NewReader(`{"n":1000000,"price":19.90,"long":123456789012345678901,"in":{"list":[7,"7"]}}`)).Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(row.Values); got != "map[in:map[list:[7 7]] long:123456789012345678901 n:1000000 price:19.90]" {
		t.Error(got)
	}
	if n, whole := row.Values["n"].(int64); !whole || n != 1_000_000 {
		t.Errorf("n is a %T", row.Values["n"])
	}
}

func TestBrokenTables(t *testing.T) {
	t.Parallel()
	csv := func(text string) error {
		table, err := bulk.CSV(strings.NewReader(text), 0)
		if err == nil {
			_, err = rows(table)
		}
		return err
	}
	lines := func(text string) error {
		_, err := rows(bulk.JSONLines(strings.NewReader(text)))
		return err
	}
	for _, c := range []struct {
		err  error
		line int
		says string
	}{
		{csv(""), 1, "no names of columns"},
		{csv(" , \nx,y\n"), 1, "no names of columns"},
		{csv("a,b,a\n"), 1, `two columns are called "a"`},
		{csv("a,b\n1,2\n3\n"), 3, "line 3 (row 2): not as many values as there are columns"},
		{csv("a,b\n1,\"2\n3,4\n"), 2, `line 2 (row 1): extraneous or missing`},
		{csv("a\nx\xff\n"), 2, "UTF-8"},
		{csv("a\xff\n"), 1, "UTF-8"},
		{lines("{\"a\":1}\n[{\"a\":1}]"), 2, "line 2 (row 2): not a JSON object"},
		{lines("{\"a\":1"), 1, "not JSON"},
		{lines("{\"a\":1}{\"a\":2}"), 1, "more than one"},
		{lines("{\"a\":\"\xff\"}"), 1, "UTF-8"},
		{lines("\n{\"a\":\"" + strings.Repeat("x", 17<<20) + "\"}"), 2, "16 MB"},
	} {
		var e *bulk.TableError
		if !errors.As(c.err, &e) || e.Line != c.line || !strings.Contains(e.Error(), c.says) {
			t.Errorf("got %v, want line %d and %q", c.err, c.line, c.says)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add("email,name\na@x.org,Ann\n")
	f.Add("\ufeffa;b\n1;\"2\n\"\n")
	f.Add("{\"a\":{\"b\":[1,2]}}\n{\"a\":1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if table, err := bulk.CSV(strings.NewReader(text), 0); err == nil {
			columns := 0
			for _, c := range table.Columns() {
				if c != "" {
					columns++
				}
			}
			for row, err := table.Next(); err == nil; row, err = table.Next() {
				if len(row.Values) != columns || row.Line < 2 {
					t.Errorf("row %v of columns %q", row, table.Columns())
				}
			}
		}
		got, err := rows(bulk.JSONLines(strings.NewReader(text)))
		if e := (*bulk.TableError)(nil); err != nil && (!errors.As(err, &e) || e.Row != len(got)+1) {
			t.Errorf("after %d rows: %v", len(got), err)
		}
	})
}
