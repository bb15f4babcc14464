package message_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

// TestInjectionNowhere puts a line break or a NUL into every string of a
// message that is not a body, those of fields added later too.
func TestInjectionNowhere(t *testing.T) {
	t.Parallel()
	delivery := message.Delivery{ReturnPath: "bounce@example.com", EnvelopeID: "7"}
	by := []message.DKIM{{Domain: "example.com", Selector: "s", Key: edKey(), Fields: []string{"X-Tag"}, Canonicalization: "relaxed/simple"}}
	spoilEach(t, func() composable {
		m := everything()
		m.Sender, m.Date, m.MessageID = "Desk <desk@example.com>", m.Date.AddDate(2025, 0, 0), "<1@example.com>"
		m.Calendar.Method, m.Calendar.Name = "REQUEST", "a.ics"
		m.References = []string{"<0@example.com>", "1@example.com"}
		m.Attachments = []message.Attachment{{Name: "a.csv", ContentType: `text/csv; header="present"`, ContentID: "a", Data: []byte("a")}}
		m.DKIM, m.Delivery = slices.Clone(by), delivery
		m.DKIM[0].Fields = slices.Clone(by[0].Fields)
		return m
	}, "Text", "HTML", "Calendar.Text")
	spoilEach(t, func() composable {
		raw := &message.Raw{Data: []byte("From: a@example.com\nTo: b@example.org\n\nHi"), DKIM: slices.Clone(by), Delivery: delivery}
		raw.DKIM[0].Fields = slices.Clone(by[0].Fields)
		return raw
	})
	// What others have said is made harmless; TestReportOfHostileReplies looks at it.
	spoilEach(t, func() composable {
		r := sampleReport()
		r.Original.Subject, r.Original.MessageID, r.Recipients[0].Reason = "x", "1@example.com", "x"
		return r
	}, "Original.Subject", "Original.MessageID", "Recipients[0].Reply.Text", "Recipients[0].Server", "Recipients[0].Reason")
}

type composable interface {
	WriteTo(io.Writer) (int64, error)
	Envelope() (smtp.Envelope, error)
}

func spoilEach(t *testing.T, sample func() composable, bodies ...string) {
	t.Helper()
	if err := compose(sample()); err != nil {
		t.Fatal("the sample is no good: ", err)
	}
	var paths []string
	eachString(reflect.ValueOf(sample()).Elem(), "", func(path string, s reflect.Value) {
		if s.String() == "" {
			t.Errorf("%s is empty: give it a value in the sample", path)
		}
		if !slices.Contains(bodies, path) {
			paths = append(paths, path)
		}
	})
	if len(paths) < 6 {
		t.Errorf("only found %q", paths)
	}
	for _, path := range paths {
		for _, bad := range []string{"\r", "\n", "\x00", "\r\n", "\r\nBcc: eve@example.com", "\r\n\r\nHi"} {
			for _, at := range []int{0, 1, -1} {
				checkSpoilt(t, sample(), path, bad, at)
			}
		}
	}
}

// checkSpoilt spoils one string and wants it refused by its name.
func checkSpoilt(t *testing.T, m composable, path, bad string, at int) {
	t.Helper()
	eachString(reflect.ValueOf(m).Elem(), "", func(each string, s reflect.Value) {
		if each != path {
			return
		}
		old := s.String()
		if at < 0 {
			at = len(old)
		}
		s.SetString(old[:at] + bad + old[at:])
	})
	err := compose(m)
	want, _, ofHeader := strings.Cut(path, "].")
	if ofHeader = ofHeader && strings.HasPrefix(path, "Header["); ofHeader {
		want += "]" // a field of the header goes by its name
	} else {
		want = path
	}
	var refusal *message.Error
	if !errors.As(err, &refusal) || refusal.Field != want && !(ofHeader && strings.HasPrefix(refusal.Field, want+" (")) {
		t.Errorf("%s with %q: want an error about %s, got %v", path, bad, want, err)
	} else if strings.ContainsAny(err.Error(), "\r\n\x00") {
		t.Errorf("%s: the error breaks a log line: %q", path, err)
	}
}

func compose(m composable) error {
	_, err := m.WriteTo(io.Discard)
	if err == nil {
		_, err = m.Envelope()
	}
	return err
}

// eachString visits all strings that a program can set.
func eachString(v reflect.Value, path string, visit func(path string, s reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		visit(path, v)
	case reflect.Slice:
		for i := range v.Len() {
			eachString(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				eachString(v.Field(i), strings.TrimPrefix(path+"."+field.Name, "."), visit)
			}
		}
	case reflect.Pointer, reflect.Map, reflect.Interface:
		panic(path + " is of a kind that this test does not look into")
	}
}
