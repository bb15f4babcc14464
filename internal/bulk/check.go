package bulk

import (
	"context"
	"errors"
	"io"
	"runtime"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
)

// Checked is a row and what it came to.
type Checked struct {
	Row     Row
	Message *message.Message // nil if Err is set
	Twin    bool             // its recipients are those of an earlier row
	Err     error
}

// Check makes a message of each row as [Run] does, without sending any, and
// gives them to each in order, until that returns false. The error is one of
// the table's or the context's.
func Check(ctx context.Context, table *Table, letter *Letter, each func(Checked) bool) error {
	width := 2 * runtime.GOMAXPROCS(0)
	pending := make(chan chan Checked, width)
	stopped := make(chan struct{})
	var readErr error
	go func() {
		defer close(pending)
		readErr = checkRows(ctx, table, letter, pending, stopped)
	}()
	going := true
	for result := range pending {
		if checked := <-result; going && !each(checked) {
			going = false
			close(stopped)
		}
	}
	return readErr
}

// checkRows starts a check for each row, as many at a time as pending holds.
func checkRows(ctx context.Context, table *Table, letter *Letter, pending chan<- chan Checked, stopped <-chan struct{}) error {
	keys := keys{}
	for {
		row, err := table.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		_, earlier := keys.next(letter.recipients(row))
		result := make(chan Checked, 1)
		select {
		case pending <- result:
		case <-stopped:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		go func() { result <- letter.check(row, earlier > 0) }()
	}
}

func (l *Letter) check(row Row, twin bool) Checked {
	m, err := l.message(row)
	if err == nil {
		_, err = kaizen.Prepare(m)
	}
	if e := (*kaizen.Error)(nil); errors.As(err, &e) && e.Err != nil {
		err = e.Err // there is no account yet
	}
	if err != nil {
		return Checked{Row: row, Twin: twin, Err: err}
	}
	return Checked{Row: row, Message: m, Twin: twin}
}
