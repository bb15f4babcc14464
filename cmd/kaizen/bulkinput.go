package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/spf13/cobra"
)

// bulkInput says where the rows are.
type bulkInput struct {
	file, format, separator string
	limit                   int
}

func (f *bulkInput) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "rows", "", "`FILE` with a row for each message (- is standard input)")
	flags.StringVar(&f.format, "format", "", "`csv` or jsonl (default: jsonl if --rows ends in .jsonl, .ndjson or .json)")
	flags.StringVar(&f.separator, "separator", "", "`CHARACTER` between the values of a CSV file (default: comma, semicolon or tab, as the first line has it)")
	flags.IntVar(&f.limit, "limit", 0, "only the first `N` rows")
}

func (f *bulkInput) check() error {
	switch {
	case f.file == "":
		return errors.New("which rows? Give --rows FILE")
	case f.format != "" && f.format != "csv" && f.format != "jsonl":
		return fmt.Errorf("--format %q is neither csv nor jsonl", f.format)
	case f.limit < 0:
		return errors.New("--limit is negative")
	}
	if f.separator == `\t` {
		f.separator = "\t"
	}
	if c, size := utf8.DecodeRuneInString(f.separator); size != len(f.separator) || strings.ContainsRune("\"\r\n\ufffd", c) && size > 0 {
		return fmt.Errorf("--separator %q is not a character that can stand between values", f.separator)
	}
	return nil
}

func (f *bulkInput) isJSON() bool {
	if f.format != "" {
		return f.format == "jsonl"
	}
	switch strings.ToLower(filepath.Ext(f.file)) {
	case ".jsonl", ".ndjson", ".json":
		return true
	}
	return false
}

// open begins to read the table.
func (f *bulkInput) open(stdin io.Reader) (table *bulk.Table, closeTable func(), err error) {
	source := stdin
	closeTable = func() {}
	if f.file != "-" {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, nil, withCode(exitNoInput, fmt.Errorf("--rows: %w", err))
		}
		source, closeTable = file, func() { _ = file.Close() }
	}
	if table, err = f.table(source); err != nil {
		closeTable()
		return nil, nil, f.wrong(err)
	}
	return table, closeTable, nil
}

func (f *bulkInput) table(source io.Reader) (table *bulk.Table, err error) {
	if f.isJSON() {
		table = bulk.JSONLines(source)
	} else {
		comma, _ := utf8.DecodeRuneInString(f.separator)
		if f.separator == "" {
			comma = 0
		}
		if table, err = bulk.CSV(source, comma); err != nil {
			return nil, err
		}
	}
	table.Limit(f.limit)
	return table, nil
}

// wrong says of a table's error where it is.
func (f *bulkInput) wrong(err error) error {
	if _, ok := errors.AsType[*bulk.TableError](err); ok {
		return withCode(exitData, fmt.Errorf("--rows %s: %w", f.file, err))
	}
	return err
}

// count reads a file through before anything is sent: a table that breaks in
// its middle is refused as a whole. Of standard input nothing is known: -1.
func (f *bulkInput) count(ctx context.Context) (int, error) {
	if f.file == "-" {
		return -1, nil
	}
	table, closeTable, err := f.open(nil)
	if err != nil {
		return 0, err
	}
	defer closeTable()
	n, err := table.Count()
	if err == nil {
		err = ctx.Err()
	}
	return n, f.wrong(err)
}
