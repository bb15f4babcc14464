package bulk

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"time"
)

// resultColumns of the results, which docs/bulk.md explains.
var resultColumns = []string{"row", "address", "outcome", "reply", "queue_id", "time", "server", "message_id", "error"}

// errInterrupted is what the results say of a begin without a result.
const errInterrupted = "the process ended before the outcome was noted"

// WriteResults writes what a journal knows as CSV, in the order of the rows: a
// line for each recipient of each row that was tried, with its last outcome.
func WriteResults(w io.Writer, journal string) error {
	file, err := os.Open(journal)
	if err != nil {
		return &JournalError{Path: journal, Err: err}
	}
	defer file.Close()
	history, _, err := readHistory(journal, file)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	_ = out.Write(resultColumns) // its error stays, and Error returns it
	lines := lineReader{file: file}
	for _, p := range history.inOrder() {
		if err := p.writeResults(out, &lines); err != nil {
			return &JournalError{Path: journal, Err: err}
		}
	}
	out.Flush()
	return out.Error()
}

func (h *History) inOrder() []*past {
	list := make([]*past, 0, len(h.rows))
	for _, p := range h.rows {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *past) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.where, b.where))
	})
	return list
}

func (p *past) writeResults(out *csv.Writer, lines *lineReader) error {
	var e entry
	if p.where >= 0 {
		line, err := lines.at(p.where)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
	}
	if !p.begun.IsZero() {
		e.Time, e.Error, e.To = p.begun, errInterrupted, p.recipients()
	}
	for _, r := range e.To {
		at := e.Time
		if !r.Time.IsZero() {
			at = r.Time
		}
		reason := e.Error
		if r.Reply != "" || r.Outcome == Accepted {
			reason = ""
		}
		_ = out.Write([]string{strconv.Itoa(p.row), r.Address, string(r.Outcome), r.Reply, r.QueueID,
			at.UTC().Format(time.RFC3339), r.Server, e.MessageID, reason})
	}
	return out.Error()
}

// lineReader reads single lines of a file.
type lineReader struct {
	file *os.File
	buf  []byte
}

func (l *lineReader) at(offset int64) ([]byte, error) {
	if l.buf == nil {
		l.buf = make([]byte, 4<<10)
	}
	for {
		n, err := l.file.ReadAt(l.buf, offset)
		if end := slices.Index(l.buf[:n], '\n'); end >= 0 {
			return l.buf[:end], nil
		}
		if err != nil {
			return nil, err
		}
		l.buf = make([]byte, 2*len(l.buf))
	}
}
