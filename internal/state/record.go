package state

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/safefile"
	"github.com/kaizenmail/kaizen/smtp"
)

// Record is what is remembered of an account beside its limits.
type Record struct {
	Account string `json:"account"`
	// Stop is set while nothing may be sent.
	Stop *Stop `json:"stop,omitempty"`
	// Pause is set while an allowance is used up.
	Pause *Pause `json:"pause,omitempty"`
	// Learned is what servers were seen to take, by host:port.
	Learned map[string]Learned `json:"learned,omitempty"`
}

// Stop is why an account was stopped: its login was refused.
type Stop struct {
	Since  time.Time  `json:"since"`
	Server string     `json:"server"` // host:port
	Reply  smtp.Reply `json:"reply,omitzero"`
	Text   string     `json:"text"`           // the whole error
	Hint   string     `json:"hint,omitempty"` // what to do, if it is not the usual
	// Mark tells whether a login is the refused one. It is made of a few bits of a
	// slow, salted hash, too few to find a password by.
	Salt []byte `json:"salt"`
	Mark []byte `json:"mark"`
	// Over says that another login has worked since: the account is not stopped,
	// but the refused login is still not to be tried.
	Over bool `json:"over,omitempty"`
}

// Pause is an account that is left alone for a while.
type Pause struct {
	Until  time.Time  `json:"until"`
	Server string     `json:"server"`
	Phase  smtp.Phase `json:"phase"`
	Class  smtp.Class `json:"class"`
	Reply  smtp.Reply `json:"reply,omitzero"`
}

// Learned is what a server takes, and why we think so. Zero is unknown.
type Learned struct {
	Connections       int       `json:"connections,omitempty"`
	ConnectionsReason string    `json:"connections_reason,omitempty"`
	ConnectionsAt     time.Time `json:"connections_at,omitzero"`
	Messages          int       `json:"messages,omitempty"` // on a connection
	MessagesReason    string    `json:"messages_reason,omitempty"`
	MessagesAt        time.Time `json:"messages_at,omitzero"`
	// Rate is for people, Pace for the limiter.
	Rate       string          `json:"rate,omitempty"`
	RateReason string          `json:"rate_reason,omitempty"`
	RateAt     time.Time       `json:"rate_at,omitzero"`
	Pace       limit.PaceState `json:"pace,omitzero"`
}

// Record returns what is known of an account, which may be nothing. A damaged
// record is as none: it is made anew by the next refusal.
func (d *Dir) Record(account string) (Record, error) {
	r := Record{}
	damaged, err := read(d.recordFile(account), &r)
	if err != nil {
		return Record{}, fmt.Errorf("read the state of account %s: %w", account, err)
	}
	if damaged {
		r = Record{}
	}
	r.Account = account
	return r, nil
}

// Update changes the record of an account, unless f returns false.
func (d *Dir) Update(ctx context.Context, account string, f func(*Record) bool) error {
	err := change(ctx, d.recordFile(account), func(r *Record, damaged bool) (write bool, survives safefile.Care) {
		if damaged {
			*r = Record{}
		}
		r.Account = account
		write = f(r)
		return write, safefile.Latest
	})
	if err != nil {
		return fmt.Errorf("keep the state of account %s: %w", account, err)
	}
	return nil
}

// RecordFile is where the record of an account is, whether there is one or not.
// It is replaced with every change.
func (d *Dir) RecordFile(account string) string { return d.recordFile(account) }

func (d *Dir) recordFile(account string) string {
	return filepath.Join(d.path, accountsDir, fileName(account)+".json")
}

// Records are those of all accounts.
func (d *Dir) Records() ([]Record, error) {
	files, err := d.files(accountsDir, "*.json")
	if err != nil {
		return nil, err
	}
	var records []Record
	for _, file := range files {
		var r Record
		if damaged, err := read(file, &r); err != nil {
			return records, err
		} else if !damaged {
			records = append(records, r)
		}
	}
	return records, nil
}
