package accounts

import (
	"bytes"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// table is a TOML table: a value is string, int64, float64, bool, a date, []any
// or a table.
type table = map[string]any

// document is a TOML file with the places of its keys.
type document struct {
	file string
	root table
	at   map[string]unstable.Position // by path, see pathKey
}

// readDocument reads TOML. Errors are [*FileError], and hold nothing of any
// value: it may be a password that does not belong there.
func readDocument(file string, content []byte) (*document, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // some editors begin with it
	d := &document{file: file, root: table{}}
	err := toml.Unmarshal(content, &d.root)
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, column := wrong.Position()
		return nil, &FileError{File: file, Line: line, Column: column, Err: errors.New(withoutValues(wrong.Error()))}
	}
	if err != nil {
		return nil, &FileError{File: file, Err: errors.New(withoutValues(err.Error()))}
	}
	d.at = places(content)
	return d, d.refuseControls(nil, d.root)
}

// quotedPiece is how the TOML library quotes what it found.
var quotedPiece = regexp.MustCompile(`(:? (but )?(got )?U\+[0-9A-F]+( '.*')?)|: strconv.*`)

func withoutValues(message string) string {
	return quotedPiece.ReplaceAllString(strings.TrimPrefix(message, "toml: "), "")
}

// wrong makes an error about the key at path. Where the key was not given, the
// place is that of the table.
func (d *document) wrong(path []string, err error) *FileError {
	p, ok := d.at[pathKey(path)]
	for above := path; !ok && len(above) > 1; {
		above = above[:len(above)-1]
		p, ok = d.at[pathKey(above)]
	}
	return &FileError{File: d.file, Line: p.Line, Column: p.Column, Key: strings.Join(path, "."), Err: err}
}

// unknown makes an error about a key that nobody reads.
func (d *document) unknown(path []string, known []string) *FileError {
	e := d.wrong(path, errors.New("unknown key"))
	if found := similar(path[len(path)-1], known); len(found) > 0 {
		e.Suggestion = found[0]
	}
	return e
}

// line is where a path stands, 0 if nowhere.
func (d *document) line(path ...string) int { return d.at[pathKey(path)].Line }

// refuseControls: TOML can write any character as an escape; none of ours needs
// one, and some would end a line of SMTP.
func (d *document) refuseControls(path []string, value any) error {
	switch v := value.(type) {
	case string:
		if strings.ContainsFunc(v, unicode.IsControl) {
			return d.wrong(path, errControl)
		}
	case []any:
		for i, one := range v {
			if err := d.refuseControls(append(slices.Clone(path), strconv.Itoa(i+1)), one); err != nil {
				return err
			}
		}
	case table:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below := append(slices.Clone(path), key)
			if strings.ContainsFunc(key, unicode.IsControl) {
				return d.wrong(path, errors.New("a key has a control character"))
			}
			if err := d.refuseControls(below, v[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

var errControl = errors.New("has a control character")

// places finds where each key and table begins. Tables of a list are counted from
// 1: routes.2.from.
func places(content []byte) map[string]unstable.Position {
	at := map[string]unstable.Position{}
	var p unstable.Parser
	p.Reset(content)
	lines := newLineIndex(content)
	var above []string
	counts := map[string]int{}
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			above = lines.note(at, nil, e)
		case unstable.ArrayTable:
			above = lines.note(at, nil, e)
			list := pathKey(above)
			counts[list]++
			above = append(above, strconv.Itoa(counts[list]))
			at[pathKey(above)] = lines.position(int(e.Child().Raw.Offset))
		case unstable.KeyValue:
			lines.noteValue(at, above, e)
		}
	}
	return at
}

// lineIndex turns offsets into lines without counting from the start each time.
type lineIndex []int // offsets at which lines begin

func newLineIndex(content []byte) lineIndex {
	starts := lineIndex{0}
	for i, b := range content {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (l lineIndex) position(offset int) unstable.Position {
	line, exact := slices.BinarySearch(l, offset)
	if !exact {
		line--
	}
	return unstable.Position{Offset: offset, Line: line + 1, Column: offset - l[line] + 1}
}

// note records the key of a node, and the tables its dots imply; the first place
// counts.
func (l lineIndex) note(at map[string]unstable.Position, above []string, n *unstable.Node) []string {
	path := slices.Clone(above)
	for key := n.Key(); key.Next(); {
		path = append(path, string(key.Node().Data))
		if _, ok := at[pathKey(path)]; !ok {
			at[pathKey(path)] = l.position(int(key.Node().Raw.Offset))
		}
	}
	return path
}

func (l lineIndex) noteValue(at map[string]unstable.Position, above []string, n *unstable.Node) {
	path := l.note(at, above, n)
	if n.Value().Kind != unstable.InlineTable {
		return
	}
	for child := n.Value().Children(); child.Next(); {
		if child.Node().Kind == unstable.KeyValue {
			l.noteValue(at, path, child.Node())
		}
	}
}

// pathKey is a path as a key of a map; a NUL cannot stand in a key that passes
// refuseControls.
func pathKey(path []string) string { return strings.Join(path, "\x00") }
