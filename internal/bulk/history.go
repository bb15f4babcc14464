package bulk

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// History is what a journal tells of the runs so far.
type History struct {
	Campaign string
	Letter   string // fingerprint of what was sent first
	rows     map[Key]*past
}

// past is what is known of a row.
type past struct {
	row   int
	begun time.Time   // zero, or of a begin without a result
	open  []Recipient // those of that begin
	to    []Recipient // as the last result has them; nil if all were accepted or queued
	where int64       // of the last result's line
}

// Resume opens a journal and reads it. An incomplete last line is what a killed
// process left: what it was about to say is not taken for said.
func Resume(path string) (*Journal, *History, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, &JournalError{Path: path, Err: err}
	}
	j := &Journal{path: path, file: file}
	history, err := j.resume()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return j, history, nil
}

func (j *Journal) resume() (*History, error) {
	if err := lock(j.file); err != nil {
		return nil, j.fault(err)
	}
	history, end, err := readHistory(j.path, j.file)
	if err != nil {
		return nil, err
	}
	if err := j.file.Truncate(end); err != nil {
		return nil, j.fault(err)
	}
	j.campaign = history.Campaign
	return history, nil
}

// ReadHistory reads a journal that nobody needs to write.
func ReadHistory(path string) (*History, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &JournalError{Path: path, Err: err}
	}
	defer file.Close()
	history, _, err := readHistory(path, file)
	return history, err
}

var errNoJournal = errors.New("not a journal of kaizen bulk")

// readHistory also returns where the last complete line ends.
func readHistory(path string, r io.Reader) (h *History, end int64, err error) {
	h = &History{rows: make(map[Key]*past)}
	in := bufio.NewReaderSize(r, 256<<10)
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && number > 1 {
			return h, end, nil
		}
		var e entry
		if err == nil {
			err = json.Unmarshal(bytes.TrimSpace(line), &e)
		}
		if number == 1 && (err != nil || e.Event != eventCampaign) {
			err = errNoJournal
		}
		if err != nil {
			return nil, 0, &JournalError{Path: path, Line: number, Err: err}
		}
		h.add(&e, end)
		end += int64(len(line))
	}
}

func (h *History) add(e *entry, where int64) {
	if e.Event == eventCampaign {
		h.Campaign, h.Letter = e.Campaign, e.Letter
		return
	}
	row := h.rows[e.Key]
	if row == nil {
		row = &past{where: -1}
		h.rows[e.Key] = row
	}
	row.row = e.Row
	if e.Event == eventBegin {
		row.begun, row.open = e.Time, e.To
		return
	}
	row.begun, row.open, row.where, row.to = time.Time{}, nil, where, nil
	for _, r := range e.To {
		if r.Outcome != Accepted && r.Outcome != Queued {
			row.to = e.To // else it is not worth its memory
		}
	}
}

// recipients are those of a row with what is known of them, after a begin
// without a result too.
func (p *past) recipients() []Recipient {
	if p.begun.IsZero() {
		return p.to
	}
	to := slices.Clone(p.to)
	for _, r := range p.open {
		r.Outcome = Unknown
		if i := slices.IndexFunc(to, func(t Recipient) bool { return t.Address == r.Address }); i >= 0 {
			to[i] = r
		} else {
			to = append(to, r)
		}
	}
	return to
}

// Again says which outcomes of earlier runs are not accepted as the last word.
type Again struct {
	Unknown  bool // may make duplicates
	Rejected bool
}

func (a Again) open(o Outcome) bool {
	return !o.Final() || o == Unknown && a.Unknown || o == Rejected && a.Rejected
}

// finished reports whether a row needs no further try.
func (p *past) finished(again Again) bool {
	return !slices.ContainsFunc(p.recipients(), func(r Recipient) bool { return again.open(r.Outcome) })
}

// InDoubt is a recipient who may have got the message, or not.
type InDoubt struct {
	Row     int
	Address string
	Since   time.Time // zero: see the results
}

// InDoubt lists whose outcome is unknown, in the order of their rows.
func (h *History) InDoubt() (list []InDoubt) {
	for _, p := range h.rows {
		for _, r := range p.recipients() {
			if r.Outcome == Unknown {
				list = append(list, InDoubt{Row: p.row, Address: r.Address, Since: p.begun})
			}
		}
	}
	slices.SortFunc(list, func(a, b InDoubt) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Address, b.Address))
	})
	return list
}
