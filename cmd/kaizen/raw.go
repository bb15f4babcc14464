package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/mail"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

// prepareRaw takes a message as it is. --from and --to replace what its header
// says, in the envelope only.
func (f *messageFlags) prepareRaw(ctx context.Context, app *app) (*kaizen.Prepared, error) {
	raw := message.RawFile(f.raw)
	if f.raw == "-" {
		octets, err := app.readInput(ctx)
		if err != nil {
			return nil, err
		}
		raw = &message.Raw{Data: []byte(octets)}
	}
	raw.Delivery.Notify, _ = f.notify() // checked before
	raw.Delivery.ReturnPath = f.from
	var err error
	if raw.DKIM, err = f.signatures(); err != nil {
		return nil, err
	}
	envelope, err := f.rawEnvelope(raw)
	if err != nil {
		return nil, err
	}
	content, err := raw.Content()
	if err != nil {
		return nil, unfit(err)
	}
	p, err := kaizen.Prepare(&kaizen.Prepared{Envelope: envelope, Content: content, MessageID: rawMessageID(raw)})
	if err != nil {
		return nil, unfit(err)
	}
	return p, nil
}

func (f *messageFlags) rawEnvelope(raw *message.Raw) (smtp.Envelope, error) {
	if len(f.to) == 0 {
		e, err := raw.Envelope()
		if err != nil {
			return e, unfit(err)
		}
		return e, nil
	}
	to, err := splitAddresses("to", f.to)
	if err != nil {
		return smtp.Envelope{}, err
	}
	// From only has to be an address here: the return path goes before it.
	m := message.Message{From: to[0], To: to, Delivery: raw.Delivery}
	if f.from == "" {
		header, err := raw.Envelope()
		if err != nil {
			return smtp.Envelope{}, unfit(fmt.Errorf("the header does not tell the sender, so --to needs --from beside it: %w", err))
		}
		if m.Delivery.ReturnPath = header.From; header.From == "" {
			m.Delivery.ReturnPath = "<>"
		}
	}
	e, err := m.Envelope()
	if err != nil {
		return e, unfit(err)
	}
	return e, nil
}

// rawMessageID is for the receipt; a message without one is sent all the same.
func rawMessageID(raw *message.Raw) string {
	var octets io.Reader = bytes.NewReader(raw.Data)
	if raw.Open != nil {
		file, err := raw.Open()
		if err != nil {
			return ""
		}
		defer file.Close()
		octets = file
	}
	m, err := mail.ReadMessage(octets)
	if err != nil {
		return ""
	}
	return m.Header.Get("Message-ID")
}
