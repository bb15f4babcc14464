package message

import "github.com/kaizenmail/kaizen/smtp"

// nullPath asks for no failure notifications (RFC 5321 §4.5.5).
const nullPath = "<>"

// Envelope tells who sends the message and who receives it: To, Cc and Bcc, each
// mailbox once, in this order. Domains are written with A-labels.
func (m *Message) Envelope() (smtp.Envelope, error) {
	p := prepared{Message: m}
	if err := p.parseAddresses(); err != nil {
		return smtp.Envelope{}, err
	}
	sender := p.from
	if m.Sender != "" {
		sender = p.sender
	}
	return m.Delivery.envelope(&sender, p.to, p.cc, p.bcc)
}

func (d *Delivery) envelope(sender *address, lists ...[]address) (smtp.Envelope, error) {
	e := smtp.Envelope{Return: d.Return, EnvelopeID: d.EnvelopeID, RequireTLS: d.RequireTLS}
	if d.ReturnPath != "" && d.ReturnPath != nullPath {
		path, err := parseAddress("Delivery.ReturnPath", d.ReturnPath)
		if err != nil {
			return smtp.Envelope{}, err
		}
		sender = &path
	}
	if d.ReturnPath != nullPath {
		e.From = sender.String()
	}
	if err := checkText(d.EnvelopeID); err != nil {
		return smtp.Envelope{}, fieldError("Delivery.EnvelopeID", d.EnvelopeID, err)
	}
	e.To = d.recipients(lists)
	if len(e.To) == 0 {
		return smtp.Envelope{}, &Error{Field: "To", Err: errNoRecipients}
	}
	return e, nil
}

func (d *Delivery) recipients(lists [][]address) []smtp.Recipient {
	total := 0
	for _, list := range lists {
		total += len(list)
	}
	to := make([]smtp.Recipient, 0, total)
	seen := make(map[string]bool, total)
	for _, list := range lists {
		for i := range list {
			if key := list[i].key(); !seen[key] {
				seen[key] = true
				to = append(to, smtp.Recipient{Address: list[i].String(), Notify: d.Notify})
			}
		}
	}
	return to
}
