package message

import (
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// maxTold is how many recipients are told of in words; the part for programs has
// all of them.
const maxTold = 50

// subject begins with the worst that happened.
func (d *draft) subject() string {
	title := reportTitles[d.worst()]
	if d.original.subject == "" {
		return title
	}
	return title + ": " + d.original.subject
}

var reportTitles = [...]string{ReportFailed: "Not delivered", ReportExpired: "Not delivered", ReportDelayed: "Delayed", ReportRelayed: "Relayed"}

func (d *draft) worst() ReportAction {
	worst := ReportRelayed
	for i := range d.recipients {
		worst = min(worst, d.recipients[i].Action)
	}
	return worst
}

var reportIntroductions = [...]string{
	ReportFailed:  "could not be delivered to",
	ReportExpired: "could not be delivered in time, and is not tried any more, to",
	ReportDelayed: "has not been delivered yet, and is tried further, to",
	ReportRelayed: "was handed on to a server that will not tell what becomes of it, for",
}

// words is the part for people.
func (d *draft) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the mail system at %s.\n\n", oneLine(d.mta, maxAddress))
	b.WriteString("Your message")
	if d.original.subject != "" {
		fmt.Fprintf(&b, " \"%s\"", d.original.subject)
	}
	if !d.Original.Arrived.IsZero() {
		fmt.Fprintf(&b, " of %s", d.Original.Arrived.Format("Monday, 2 January 2006, 15:04 -0700"))
	}
	told, first := 0, true
	for action := ReportFailed; action <= ReportRelayed; action++ {
		heading := reportIntroductions[action]
		for i := range d.recipients {
			r := &d.recipients[i]
			if r.Action != action || told == maxTold {
				continue
			}
			if heading != "" {
				heading = introduce(&b, heading, first)
				first = false
			}
			r.tell(&b)
			told++
		}
	}
	if more := len(d.recipients) - told; more > 0 {
		fmt.Fprintf(&b, "\n... and %d more, whom the attached report lists.\n", more)
	}
	switch {
	case d.original.whole != "":
		b.WriteString("\nYour message is attached.\n")
	case d.original.header != "":
		b.WriteString("\nThe header of your message is attached.\n")
	}
	return b.String()
}

func introduce(b *strings.Builder, heading string, first bool) (done string) {
	if !first {
		b.WriteString("\nIt")
	}
	b.WriteString(" " + heading + ":\n")
	return ""
}

// tell writes about one recipient.
func (r *Reported) tell(b *strings.Builder) {
	fmt.Fprintf(b, "\n  %s\n", oneLine(r.Address, maxDiagnostic))
	reply := oneLine(r.Reply.String(), maxDiagnostic)
	server := oneLine(r.Server, maxAddress)
	switch {
	case reply != "" && server != "":
		fmt.Fprintf(b, "    The server %s said: %s\n", server, reply)
	case reply != "":
		fmt.Fprintf(b, "    The server said: %s\n", reply)
	}
	if reason := oneLine(r.Reason, maxDiagnostic); reason != "" {
		fmt.Fprintf(b, "    %s\n", reason)
	}
	if meaning := r.meaning(); meaning != "" {
		fmt.Fprintf(b, "    %s\n", meaning)
	}
	if r.Action == ReportDelayed && !r.Until.IsZero() {
		fmt.Fprintf(b, "    It is tried until %s. You need not send it again.\n", r.Until.Format("Monday, 2 January 2006, 15:04 -0700"))
	}
}

// meanings are those of the enhanced codes (RFC 3463) that tell a person what to
// do, without their class.
var meanings = map[[2]uint16]string{
	{1, 1}:  "There is no such mailbox. Look for a slip in the address.",
	{1, 2}:  "There is no such mail domain. Look for a slip behind the @.",
	{1, 3}:  "The address is not one that the server understands. Look for a slip in it.",
	{1, 6}:  "The mailbox has moved, and nobody said where to.",
	{1, 10}: "The domain takes no mail at all.",
	{2, 1}:  "The mailbox is closed or takes no mail.",
	{2, 2}:  "The mailbox is full. Its owner must make room in it.",
	{2, 3}:  "The message is larger than the recipient takes.",
	{3, 4}:  "The message is larger than the server takes.",
	{4, 1}:  "The recipient's server did not answer.",
	{4, 4}:  "No server was found for the address.",
	{4, 6}:  "The message went in a circle: the recipient's servers are set up wrongly.",
	{7, 1}:  "The server does not take such mail from you.",
	{7, 23}: "The server did not accept where the message came from (SPF).",
	{7, 26}: "The server could not verify who sent the message (SPF, DKIM).",
}

// subjects are what codes are about that have no meaning of their own.
var subjects = [...]string{1: "Something is wrong with the address.", 2: "Something is wrong with the mailbox.", 5: "",
	6: "The server did not take the content.", 7: "The server refuses the message by its rules."}

func (r *Reported) meaning() string {
	code := r.Reply.Enhanced
	if r.Action == ReportRelayed || code == (smtp.EnhancedCode{}) {
		return ""
	}
	if meaning, ok := meanings[[2]uint16{code[1], code[2]}]; ok {
		return meaning
	}
	if int(code[1]) < len(subjects) {
		return subjects[code[1]]
	}
	return ""
}
