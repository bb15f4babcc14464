package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kaizenmail/kaizen/message"
)

// checkFields finds what is wrong with the flags that become fields.
func (f *messageFlags) checkFields() error {
	if _, err := f.howImportant(); err != nil {
		return err
	}
	u, err := f.unsubscribing()
	if err == nil && u.OneClick && u.URL == "" {
		err = errors.New("--one-click needs --unsubscribe with an https URL")
	}
	return err
}

func (f *messageFlags) howImportant() (message.Importance, error) {
	for _, i := range []message.Importance{message.ImportanceNormal, message.ImportanceHigh, message.ImportanceLow} {
		if f.importance == i.String() || f.importance == "" {
			return i, nil
		}
	}
	return 0, fmt.Errorf("--importance %q is none of high, normal, low", f.importance)
}

func (f *messageFlags) unsubscribing() (message.Unsubscribe, error) {
	u := message.Unsubscribe{OneClick: f.oneClick}
	for _, way := range f.unsubscribe {
		into := &u.URL
		if !strings.Contains(way, "://") {
			into = &u.Mailto
		}
		if *into != "" || way == "" {
			return u, errors.New("--unsubscribe takes one https URL and one mailto: address")
		}
		*into = way
	}
	return u, nil
}

// fillFields is for flags that were checked.
func (f *messageFlags) fillFields(m *message.Message) {
	m.InReplyTo = f.inReplyTo
	m.Importance, _ = f.howImportant()
	m.Unsubscribe, _ = f.unsubscribing()
}

func readCalendar(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", withCode(exitNoInput, fmt.Errorf("--calendar: %w", err))
	}
	if len(text) == 0 {
		return "", withCode(exitData, fmt.Errorf("--calendar: %s is empty", file))
	}
	return string(text), nil
}
