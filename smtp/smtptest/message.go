package smtptest

import (
	"bytes"
	"strings"
	"time"
)

// Message is one message that the server took.
type Message struct {
	Number     int64  // from 1, in the order of acceptance on the server
	Connection int    // ConnectionInfo.Number
	ID         string // the Message-ID field, empty without one
	User       string // who had logged in
	From       string // reverse-path without angle brackets
	Params     Params // of MAIL
	To         []Recipient
	Data       []byte // exactly what the client meant: dot-stuffing undone
	Chunked    bool   // it came by BDAT
	Received   time.Time
}

// Recipient is one that was accepted.
type Recipient struct {
	Address string // forward-path without angle brackets
	Params  Params // of RCPT
}

// Params are ESMTP parameters by keyword in upper case; those without a value,
// such as SMTPUTF8, have an empty one.
type Params map[string]string

func parseParams(text string) Params {
	params := Params{}
	for _, field := range strings.Fields(text) {
		key, value, _ := strings.Cut(field, "=")
		params[strings.ToUpper(key)] = value
	}
	return params
}

var messageID = []byte("message-id:")

// findMessageID returns the value of the Message-ID field of a header part.
func findMessageID(header []byte) []byte {
	for len(header) > 0 {
		line, rest, _ := bytes.Cut(header, []byte("\n"))
		if len(line) <= 1 {
			return nil // the empty line ends the header part
		}
		if line[0]|0x20 == 'm' && len(line) > len(messageID) && bytes.EqualFold(line[:len(messageID)], messageID) {
			return unfold(line[len(messageID):], rest)
		}
		header = rest
	}
	return nil
}

func unfold(value, rest []byte) []byte {
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') && len(bytes.TrimSpace(value)) == 0 {
		value, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	return bytes.TrimSpace(value)
}
