package sqlite

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// row is a row of job, with what belongs to it in other tables.
type row struct {
	id, lane, due, expires, created, changed, body, size int64
	rank, attempts, entries                              int
	doubt                                                bool
	policy                                               queue.Policy
	state, progress                                      byte
	messageID, key                                       string
	sum                                                  int64
	doc                                                  []byte

	more []byte // the progress, or the entry of the attempt
}

const rowColumns = "id, lane, due, expires, created, changed, body, size, rank, attempts, entries, doubt, policy, state, progress, message_id, key, sum, doc"

func scan(st *sqlite3.Stmt) *row {
	return &row{
		id: st.ColumnInt64(0), lane: st.ColumnInt64(1), due: st.ColumnInt64(2), expires: st.ColumnInt64(3),
		created: st.ColumnInt64(4), changed: st.ColumnInt64(5), body: st.ColumnInt64(6), size: st.ColumnInt64(7),
		rank: st.ColumnInt(8), attempts: st.ColumnInt(9), entries: st.ColumnInt(10),
		doubt: st.ColumnBool(11), policy: queue.Policy(st.ColumnInt(12)),
		state: letter(st, 13), progress: letter(st, 14),
		messageID: st.ColumnText(15), key: st.ColumnText(16), sum: st.ColumnInt64(17), doc: st.ColumnBlob(18, nil),
	}
}

func letter(st *sqlite3.Stmt, column int) byte {
	if b := st.ColumnRawText(column); len(b) == 1 {
		return b[0]
	}
	return 0
}

// find reads a job with what belongs to it; nil if there is none.
func (c *conn) find(id int64) (r *row, err error) {
	err = c.query(func(st *sqlite3.Stmt) bool {
		r = scan(st)
		return false
	}, "SELECT "+rowColumns+" FROM job WHERE id=?", id)
	if err != nil || r == nil {
		return nil, err
	}
	return r, c.complete(r)
}

// complete reads what belongs to a row.
func (c *conn) complete(r *row) error {
	keep := func(st *sqlite3.Stmt) bool {
		r.more = st.ColumnBlob(0, nil)
		return false
	}
	switch r.progress {
	case 'p':
		return c.query(keep, "SELECT doc FROM progress WHERE id=?", r.id)
	case 'a':
		// Lines of other kinds may have come after it.
		return c.query(func(st *sqlite3.Stmt) bool {
			var e line
			keep(st)
			return json.Unmarshal(r.more, &e) == nil && e.State != queue.Sent
		}, "SELECT doc FROM history WHERE id=? ORDER BY n DESC", r.id)
	}
	return nil
}

// doc is what of a job never changes and no statement looks for.
type doc struct {
	Envelope   smtp.Envelope    `json:"env"`
	To         []smtp.Recipient `json:"to"`
	Subject    string           `json:"subject,omitempty"`
	Tags       []string         `json:"tags,omitzero"`
	Backoff    []queue.Step     `json:"backoff,omitzero"`
	Options    queue.Options    `json:"options,omitzero"`
	Report     bool             `json:"report,omitempty"`
	Durability queue.Durability `json:"durability,omitzero"`
	Again      queue.ID         `json:"again,omitempty"`
}

// progress is what of a job changes, but for what has columns.
type progress struct {
	To     []queue.Recipient `json:"to,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Last   smtp.Reply        `json:"last,omitzero"`
}

// line is an entry of a history.
type line struct {
	At      int64          `json:"at"`
	Kind    queue.Kind     `json:"kind"`
	State   queue.State    `json:"state,omitzero"`
	Detail  string         `json:"detail,omitempty"`
	Attempt *queue.Attempt `json:"attempt,omitempty"`
}

func encodeEntry(e *queue.Entry) ([]byte, error) {
	return json.Marshal(line{milli(e.At), e.Kind, e.State, e.Detail, e.Attempt})
}

func decodeEntry(n int, b []byte) (queue.Entry, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return queue.Entry{Number: n, Detail: "this line is damaged: " + err.Error()}, err
	}
	return queue.Entry{Number: n, At: fromMilli(l.At), Kind: l.Kind, State: l.State, Detail: l.Detail, Attempt: l.Attempt}, nil
}

// encode makes a row of a new job.
func encode(j *queue.Job) (*row, error) {
	d := doc{
		Envelope: j.Envelope, To: make([]smtp.Recipient, len(j.Recipients)),
		Subject: j.Subject, Tags: j.Tags, Backoff: j.Backoff, Options: j.Options,
		Report: j.Report, Durability: j.Durability, Again: j.Again,
	}
	for i := range j.Recipients {
		d.To[i] = j.Recipients[i].Recipient
	}
	b, err := json.Marshal(&d)
	if err != nil {
		return nil, fmt.Errorf("encode job: %w", err)
	}
	return &row{
		id: int64(j.ID), due: milli(j.Due), expires: milli(j.Expires), created: milli(j.Created), changed: milli(j.Created),
		size: j.Size, rank: j.Priority.Rank(), policy: j.Unknown, state: 'q', progress: 'n',
		messageID: j.MessageID, key: j.Key, sum: int64(checksum(b)), doc: b,
	}, nil
}

// decode makes a job of a row. If it is damaged, what could be read of it is
// there; Reason says why the rest is not, and so does the error.
func (r *row) decode(lane string) (queue.Job, error) {
	j := queue.Job{
		ID: queue.ID(r.id), State: stateOf(r.state), Lane: lane, Size: r.size,
		MessageID: r.messageID, Key: r.key, Priority: queue.OfRank(min(max(r.rank, 0), queue.Ranks-1)), Unknown: r.policy,
		Created: time.UnixMilli(r.created).UTC(), Due: time.UnixMilli(r.due).UTC(), Expires: fromMilli(r.expires),
		Attempts: r.attempts, Doubt: r.doubt,
	}
	if j.State.Finished() {
		j.Ended = time.UnixMilli(r.changed).UTC()
	}
	err := r.decodeDoc(&j)
	if err == nil {
		err = r.decodeProgress(&j)
	}
	if err == nil && j.State == 0 {
		err = fmt.Errorf("its state is %q", r.state)
	}
	if err != nil {
		err = fmt.Errorf("its record is damaged: %w", err)
		j.Reason = err.Error()
	}
	if j.State == 0 {
		j.State = queue.Held
	}
	return j, err
}

func (r *row) decodeDoc(j *queue.Job) error {
	if int64(checksum(r.doc)) != r.sum {
		return errSum
	}
	var d doc
	if err := json.Unmarshal(r.doc, &d); err != nil {
		return err
	}
	j.Envelope, j.Recipients = d.Envelope, queue.To(d.To)
	j.Subject, j.Tags, j.Backoff, j.Options = d.Subject, d.Tags, d.Backoff, d.Options
	j.Report, j.Durability, j.Again = d.Report, d.Durability, d.Again
	return nil
}

func (r *row) decodeProgress(j *queue.Job) error {
	switch r.progress {
	case 'n':
		return nil
	case 'a':
		var l line
		if err := json.Unmarshal(r.more, &l); err != nil {
			return err
		}
		s := queue.Settlement{State: queue.Sent, Reason: l.Detail, Attempt: l.Attempt}
		attempts, doubt, ended := j.Attempts, j.Doubt, j.Ended
		j.Settle(ended, &s)
		j.Attempts, j.Doubt = attempts, doubt
		return nil
	case 'p':
		var p progress
		if err := json.Unmarshal(r.more, &p); err != nil {
			return err
		}
		if p.To != nil {
			j.Recipients = p.To
		}
		j.Reason, j.Last = p.Reason, p.Last
		return nil
	}
	return fmt.Errorf("its progress is %q", r.progress)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
