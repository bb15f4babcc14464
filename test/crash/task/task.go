// Package task is what the crash tests and the processes that they kill say to
// each other: lines of JSON.
package task

import (
	"bytes"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Letter is a message to be queued. All of it follows from these few words, so
// that both sides know its octets.
type Letter struct {
	Key        string           `json:"key"` // also the left side of its Message-ID
	Account    string           `json:"account"`
	To         []string         `json:"to"`
	Size       int              `json:"size"` // of its text, in octets
	Priority   queue.Priority   `json:"priority"`
	Unknown    queue.Policy     `json:"unknown"`
	Durability queue.Durability `json:"durability"`
	Delay      time.Duration    `json:"delay,omitempty"`  // before it may be sent
	Expire     time.Duration    `json:"expire,omitempty"` // 0: in an hour
	Then       Deed             `json:"then,omitempty"`   // once it is queued
}

// Deed is what is done to a job as soon as it is queued, while others deliver.
type Deed string

// The deeds.
const (
	Cancel  Deed = "cancel"
	Hold    Deed = "hold" // and release
	Reorder Deed = "reorder"
	Pause   Deed = "pause" // its account, and resume it
)

// Shaky is an account with a server of its own, which fails on and off. Chain has
// another one stand in for it.
const (
	Shaky = "shaky"
	Chain = Shaky + ">desk"
)

// From is the reverse-path of all letters.
const From = "crash@example.com"

// MessageID is without angle brackets.
func (l *Letter) MessageID() string { return l.Key + "@crash.example.com" }

// JobKey is the key of its job. Those of durability memory have none: with one, a
// store must look at its disk before it can answer, and so all is on it by then.
func (l *Letter) JobKey() string {
	if l.Durability == queue.Memory {
		return ""
	}
	return l.Key
}

// Octets is the message as it goes over the wire.
func (l *Letter) Octets() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nMessage-ID: <%s>\r\nSubject: %s\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n", From, l.MessageID(), l.Key)
	for start, n := b.Len(), 0; b.Len()-start < l.Size; n++ {
		fmt.Fprintf(&b, "%s line %d: what is whole has all of its lines, and in this order.\r\n", l.Key, n)
	}
	return b.Bytes()
}

// Event is what a child has seen happen.
type Event struct {
	What  Kind     `json:"what"`
	Key   string   `json:"key,omitempty"`
	ID    queue.ID `json:"id,omitzero"`
	Error string   `json:"error,omitempty"`
	// Job and Finding are of Dumped and Found.
	Job     *queue.Details `json:"job,omitempty"`
	Finding string         `json:"finding,omitempty"`
}

// Kind is what an event is about.
type Kind string

// The kinds.
const (
	Trying   Kind = "trying"    // the letter is handed to Enqueue
	Queued   Kind = "queued"    // the receipt is there
	Refused  Kind = "refused"   // Enqueue returned an error
	DidIt    Kind = "cancelled" // the letter was cancelled, says the store
	TooLate  Kind = "too late"  // it was not
	Resumed  Kind = "started"   // it delivers from now on
	Dumped   Kind = "job"
	Found    Kind = "found" // the check found something
	Finished Kind = "finished"
)
