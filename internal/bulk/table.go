package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Row is the variables of one message.
type Row struct {
	Number int // from 1; the line with the names of the columns is none
	Line   int // where it begins in the table
	Values map[string]any
}

// Table reads rows, one at a time. It is not for concurrent use.
type Table struct {
	columns []string
	read    func() (map[string]any, int, error)
	number  int
	limit   int
}

// Limit ends the table after n rows; 0 is no limit.
func (t *Table) Limit(n int) { t.limit = n }

// Count reads the rest of the table and tells how many rows it has.
func (t *Table) Count() (n int, err error) {
	for {
		if _, err := t.Next(); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}

// Columns are the names of a CSV table's columns; nil for JSON lines.
func (t *Table) Columns() []string { return t.columns }

// Next returns the next row, or io.EOF. After any other error, which is a
// [*TableError], the rest of the table cannot be read.
func (t *Table) Next() (Row, error) {
	if t.limit > 0 && t.number == t.limit {
		return Row{}, io.EOF
	}
	values, line, err := t.read()
	if err == io.EOF {
		return Row{}, err
	}
	t.number++
	if err != nil {
		return Row{}, &TableError{Row: t.number, Line: line, Err: err}
	}
	return Row{Number: t.number, Line: line, Values: values}, nil
}

// TableError says where a table cannot be read.
type TableError struct {
	Row  int // 0: the names of the columns
	Line int
	Err  error
}

// Error names the line.
func (e *TableError) Error() string {
	if e.Row == 0 {
		return fmt.Sprintf("line %d (the names of the columns): %v", e.Line, e.Err)
	}
	return fmt.Sprintf("line %d (row %d): %v", e.Line, e.Row, e.Err)
}

// Unwrap returns the cause.
func (e *TableError) Unwrap() error { return e.Err }

var (
	errNotUTF8   = errors.New("not valid UTF-8: save the table as UTF-8")
	errNoColumns = errors.New("no names of columns")
	errNotObject = errors.New(`not a JSON object like {"email": "ann@example.com"}; of an array, jq -c '.[]' makes such lines`)
	errLongLine  = errors.New("line over 16 MB")
)

// byteOrderMark is what some programs begin UTF-8 files with.
var byteOrderMark = []byte("\ufeff")

// CSV reads a table of comma-separated values (RFC 4180), in UTF-8, whose first
// line names the columns. A comma of 0 is found out: whichever of comma,
// semicolon and tab the first line has most of.
func CSV(r io.Reader, comma rune) (*Table, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if head, _ := in.Peek(len(byteOrderMark)); bytes.Equal(head, byteOrderMark) {
		_, _ = in.Discard(len(byteOrderMark))
	}
	if comma == 0 {
		comma = separator(in)
	}
	records := csv.NewReader(in)
	records.Comma = comma
	names, err := records.Read()
	if err == io.EOF {
		err = errNoColumns
	}
	if err != nil {
		return nil, &TableError{Line: 1, Err: plainCSV(err)}
	}
	columns, err := checkColumns(names)
	if err != nil {
		return nil, &TableError{Line: 1, Err: err}
	}
	t := &Table{columns: columns}
	records.ReuseRecord = true
	t.read = func() (map[string]any, int, error) { return readRecord(records, columns) }
	return t, nil
}

// separator looks at the first line. Peek gives less than asked for at the end
// of a short table; that will do.
func separator(in *bufio.Reader) rune {
	head, _ := in.Peek(4 << 10)
	line, _, _ := bytes.Cut(head, []byte("\n"))
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// checkColumns trims the names. A column without one is left out: spreadsheets
// like to add some at the end.
func checkColumns(names []string) ([]string, error) {
	columns := make([]string, len(names))
	named := false
	for i, name := range names {
		if name = strings.TrimSpace(name); !utf8.ValidString(name) {
			return nil, errNotUTF8
		}
		if name != "" && slices.Contains(columns[:i], name) {
			return nil, fmt.Errorf("two columns are called %q", name)
		}
		columns[i] = name
		named = named || name != ""
	}
	if !named {
		return nil, errNoColumns
	}
	return columns, nil
}

func readRecord(records *csv.Reader, columns []string) (map[string]any, int, error) {
	record, err := records.Read()
	if err != nil {
		return nil, lineOf(err), plainCSV(err)
	}
	line, _ := records.FieldPos(0)
	values := make(map[string]any, len(columns))
	for i, name := range columns {
		if name == "" {
			continue
		}
		if !utf8.ValidString(record[i]) {
			return nil, line, errNotUTF8
		}
		values[name] = record[i]
	}
	return values, line, nil
}

func lineOf(err error) int {
	var at *csv.ParseError
	if errors.As(err, &at) {
		return at.StartLine
	}
	return 0
}

// plainCSV takes off the line, which a TableError tells.
func plainCSV(err error) error {
	var at *csv.ParseError
	if !errors.As(err, &at) {
		return err
	}
	if at.Err == csv.ErrFieldCount {
		return errors.New("not as many values as there are columns")
	}
	return at.Err
}

// maxLine bounds a line of JSON.
const maxLine = 16 << 20

// JSONLines reads a table of JSON objects, one on each line. Whole numbers are
// int64; all others keep the form they have (json.Number).
func JSONLines(r io.Reader) *Table {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	return &Table{read: func() (map[string]any, int, error) {
		for lines.Scan() {
			text := lines.Bytes()
			if n++; n == 1 {
				text = bytes.TrimPrefix(text, byteOrderMark)
			}
			if text = bytes.TrimSpace(text); len(text) > 0 {
				values, err := readObject(text)
				return values, n, err
			}
		}
		switch err := lines.Err(); err {
		case nil:
			return nil, n, io.EOF
		case bufio.ErrTooLong:
			return nil, n + 1, errLongLine
		default:
			return nil, n + 1, err
		}
	}}
}

func readObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	if text[0] != '{' {
		return nil, errNotObject
	}
	values := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&values); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("more than one object on the line")
	}
	for name, v := range values {
		values[name] = plainNumbers(v)
	}
	return values, nil
}

// plainNumbers makes whole numbers what templates can compare. Others keep the
// form they have: 19.90 is a price.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainNumbers(v[name])
		}
	}
	return v
}
