package bulk

import (
	"errors"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
)

// prepare makes a job's row a message for those who are still to get it.
func (r *run) prepare(j *job) (*kaizen.Prepared, error) {
	m, err := r.Letter.message(j.row)
	if err != nil {
		return nil, err
	}
	if err := r.stamp(m, j); err != nil {
		return nil, err
	}
	p, err := kaizen.Prepare(m)
	if err != nil {
		if e := (*kaizen.Error)(nil); errors.As(err, &e) && e.Err != nil {
			err = e.Err // which account it was meant for does not matter
		}
		return nil, err
	}
	if j.to == nil {
		for _, to := range p.Envelope.To {
			j.to = append(j.to, Recipient{Address: to.Address})
		}
	}
	p.Envelope.To = slices.DeleteFunc(p.Envelope.To, func(to kaizen.Recipient) bool { return j.isFinal(to.Address) })
	p.Priority = kaizen.PriorityBulk
	return p, nil
}

func (j *job) isFinal(address string) bool {
	return slices.ContainsFunc(j.to, func(r Recipient) bool { return r.Address == address && r.Outcome.Final() })
}

// stamp gives the message a Message-ID that is the same in every run, so that
// who gets it twice after all can tell.
func (r *run) stamp(m *message.Message, j *job) error {
	if j.date.IsZero() {
		j.date = r.began
	}
	m.Date = j.date
	if err := m.Prepare(); err != nil {
		return err
	}
	_, domain, _ := strings.Cut(m.MessageID, "@")
	m.MessageID = "<" + j.key.String() + "." + r.Journal.campaign + "@" + domain
	j.id = m.MessageID
	return nil
}

// note writes the outcome of a try into the journal. Senders call it, each for
// its own job.
func (r *run) note(j *job, l *lane) {
	e := entry{Key: j.key, Row: j.row.Number, To: j.to, Server: l.name, MessageID: j.id, Error: j.reason()}
	if j.to == nil { // bad before its recipients were known
		e.To = append(e.To, Recipient{Address: strings.Join(r.Letter.recipients(j.row), ", "), Outcome: NotSent})
	}
	if err := r.Journal.result(e); err != nil {
		r.fail(err)
	}
	j.noted = true
}
