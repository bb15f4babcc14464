package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Calendar is an invitation, a cancellation or an answer (RFC 6047), made
// elsewhere. It is written twice: as the last alternative of the body, where
// mail readers find what to show as an appointment, and as an attached file for
// those that do not look there.
type Calendar struct {
	// Text is one iCalendar object (RFC 5545). Its lines may end in LF or CRLF.
	// It must say a METHOD: without one it is no invitation but a file to attach.
	Text string
	// Method is what Text asks for: REQUEST, CANCEL, REPLY and so on. Default:
	// METHOD of Text, which it must agree with.
	Method string
	// Name is the attached file's. Default: invite.ics.
	Name string
}

var (
	errNotCalendar = errors.New("not an iCalendar object: it must begin with BEGIN:VCALENDAR and end with END:VCALENDAR")
	errNoMethod    = errors.New("no METHOD in the calendar: readers would not know what is asked; add METHOD:REQUEST, or attach it as a file")
	errTwoMethods  = errors.New("several METHODs that differ")
	errMethodForm  = errors.New("METHOD is not made of letters, digits and hyphens")
)

func (p *prepared) parseCalendar() error {
	given := &p.Calendar
	if given.Text == "" {
		if given.Method != "" || given.Name != "" {
			return fieldError("Calendar.Text", "", errMissing)
		}
		return nil
	}
	if err := checkText(given.Name); err != nil {
		return fieldError("Calendar.Name", given.Name, err)
	}
	text := unixLines(given.Text)
	method, err := calendarMethod(text)
	if err != nil {
		return fieldError("Calendar.Text", "", err)
	}
	if given.Method != "" && !strings.EqualFold(given.Method, method) {
		return fieldError("Calendar.Method", given.Method, fmt.Errorf("the calendar says METHOD:%s", method))
	}
	p.calendar, p.method = text, method
	p.attached = append(p.attached, calendarFile(given.Name, text))
	p.size += 2*bodySize(text) + len(text)/2
	return nil
}

// calendarFile is called application/ics, as readers that know text/calendar
// would show the appointment twice.
func calendarFile(name, text string) *part {
	if name == "" {
		name = "invite.ics"
	}
	octets := []byte(strings.ReplaceAll(text, "\n", crlf))
	return &part{Attachment: &Attachment{Name: name, Data: octets}, label: "Calendar", mediaType: "application/ics"}
}

// maxMethod is far more than any known one has.
const maxMethod = 60

// calendarMethod reads METHOD, which stands directly in the calendar and in
// none of its components, in capitals.
func calendarMethod(text string) (method string, err error) {
	// A line is folded at octets, within a character too (RFC 5545 §3.1).
	text = strings.NewReplacer("\n ", "", "\n\t", "").Replace(text)
	if !utf8.ValidString(text) {
		return "", errNotUTF8
	}
	depth := 0
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		name, value := calendarProperty(line)
		switch {
		case depth == 0 && (name != "BEGIN" || value != "VCALENDAR"):
			return "", errNotCalendar
		case name == "BEGIN":
			depth++
		case name == "END":
			depth--
		case name == "METHOD" && depth == 1:
			if method != "" && method != value {
				return "", errTwoMethods
			}
			method = value
		}
	}
	switch {
	case depth != 0:
		return "", errNotCalendar
	case method == "":
		return "", errNoMethod
	case len(method) > maxMethod || !isCalendarName(method):
		return "", errMethodForm
	}
	return method, nil
}

// calendarProperty cuts a line into its name and value, both in capitals, and
// leaves out the parameters.
func calendarProperty(line string) (name, value string) {
	nameEnd, quoted := -1, false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case quoted:
		case line[i] == ';' && nameEnd < 0:
			nameEnd = i
		case line[i] == ':':
			if nameEnd < 0 {
				nameEnd = i
			}
			return strings.ToUpper(line[:nameEnd]), strings.ToUpper(strings.TrimSpace(line[i+1:]))
		}
	}
	return "", ""
}

func isCalendarName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
