package smtptest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseFault reads the text form of a fault:
//
//	phase[@where]:action[=argument][:condition]…
//
// where is the number of octets (body) or the quiet time (idle) before it
// happens. Actions are drop, reset, 421, stall, delay, drip, vanish, extra,
// missing, reply and oversize; delay and drip take a duration, delay also with
// the chance of one more (1s~30%); 421, extra and reply take a reply, which
// reply must have. Conditions are a probability (0.01), an occurrence (5th),
// conn, which counts occurrences on each connection by itself, a command of the
// phase (only=HELO), and a time to wait before (after=2s). Examples:
//
//	final:drop:0.01
//	mail:421:5th
//	body@2000:reset
//	idle@30s:421
//	rcpt:reply=550 5.1.1 No such user:2nd:conn
//	ehlo:delay=3s
//	other:drop:only=VRFY
func ParseFault(text string) (Fault, error) {
	var f Fault
	where, rest, ok := strings.Cut(text, ":")
	if !ok {
		return f, faultError(text, "want phase:action")
	}
	if err := f.parsePhase(where); err != nil {
		return Fault{}, faultError(text, err.Error())
	}
	for {
		i := strings.LastIndexByte(rest, ':')
		if i < 0 || !f.parseCondition(rest[i+1:]) {
			break // a colon that belongs to a reply's text
		}
		rest = rest[:i]
	}
	if err := f.parseAction(rest); err != nil {
		return Fault{}, faultError(text, err.Error())
	}
	return f, nil
}

func faultError(text, problem string) error {
	return fmt.Errorf("smtptest: fault %q: %s", text, problem)
}

func (f *Fault) parsePhase(text string) (err error) {
	name, where, hasWhere := strings.Cut(text, "@")
	var known bool
	if f.Phase, known = parsePhase(name); !known {
		return fmt.Errorf("unknown phase %q; phases are %s", name, strings.Join(phaseNames[:], ", "))
	}
	switch {
	case !hasWhere:
		return nil
	case f.Phase == PhaseBody:
		f.Octets, err = strconv.ParseInt(where, 10, 64)
	case f.Phase == PhaseIdle:
		f.Quiet, err = time.ParseDuration(where)
	default:
		return fmt.Errorf("only body and idle take @")
	}
	if err != nil || f.Octets < 0 || f.Quiet < 0 {
		return fmt.Errorf("want body@octets or idle@duration, not @%s", where)
	}
	return nil
}

// parseCondition reports whether the text is a condition not seen before.
func (f *Fault) parseCondition(text string) bool {
	if text == "conn" && !f.PerConnection {
		f.PerConnection = true
		return true
	}
	if after, is := strings.CutPrefix(text, "after="); is && f.After == 0 {
		d, err := time.ParseDuration(after)
		f.After = max(d, 0)
		return err == nil && d > 0
	}
	if verb, is := strings.CutPrefix(text, "only="); is && f.Verb == "" {
		if isVerb(verb) {
			f.Verb = strings.ToUpper(verb)
		}
		return f.Verb != ""
	}
	if p, err := strconv.ParseFloat(text, 64); err == nil && p > 0 && p <= 1 && f.Prob == 0 {
		f.Prob = p
		return true
	}
	if len(text) < 3 || f.Nth != 0 {
		return false
	}
	n, err := strconv.Atoi(text[:len(text)-2])
	if err != nil || n < 1 || !slices.Contains([]string{"st", "nd", "rd", "th"}, text[len(text)-2:]) {
		return false
	}
	f.Nth = n
	return true
}

func isVerb(text string) bool {
	return text != "" && strings.Trim(strings.ToUpper(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (f *Fault) parseAction(text string) error {
	name, arg, hasArg := strings.Cut(text, "=")
	i := slices.Index(actionNames[:], name)
	if i < 0 {
		return fmt.Errorf("unknown action %q; actions are %s", name, strings.Join(actionNames[:], ", "))
	}
	f.Action = Action(i)
	if !hasArg {
		if f.Action == Answer {
			return fmt.Errorf("want reply=code text")
		}
		return nil
	}
	switch f.Action {
	case Delay, Drip:
		return f.parsePause(arg)
	case Close421, Extra, Answer:
		var valid bool
		if f.Reply, valid = parseReply(arg); !valid {
			return fmt.Errorf("want a reply such as 451 4.3.0 Try later, not %q", arg)
		}
	default:
		return fmt.Errorf("%s takes no argument", name)
	}
	return nil
}

// parsePause reads 2s or 2s~30%.
func (f *Fault) parsePause(text string) (err error) {
	pause, chance, again := strings.Cut(text, "~")
	if f.Pause, err = time.ParseDuration(pause); err != nil || f.Pause <= 0 {
		return fmt.Errorf("want a positive duration, not %q", pause)
	}
	if !again {
		return nil
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(chance, "%"))
	if err != nil || percent < 1 || percent > 99 || f.Action != Delay {
		return fmt.Errorf("want delay=duration~1%% to 99%%, not %q", text)
	}
	f.Again = float64(percent) / 100
	return nil
}

// String returns the text form, which ParseFault reads.
func (f Fault) String() string {
	b := []byte(f.Phase.String())
	switch {
	case f.Phase == PhaseBody && f.Octets > 0:
		b = fmt.Appendf(b, "@%d", f.Octets)
	case f.Phase == PhaseIdle && f.Quiet > 0:
		b = fmt.Appendf(b, "@%v", f.Quiet)
	}
	b = fmt.Appendf(b, ":%v", f.Action)
	switch {
	case f.Reply.Code != 0:
		b = fmt.Appendf(b, "=%v", f.Reply)
	case f.Pause > 0:
		b = fmt.Appendf(b, "=%v", f.Pause)
	}
	if f.Again > 0 {
		b = fmt.Appendf(b, "~%.0f%%", f.Again*100)
	}
	if f.Prob > 0 {
		b = fmt.Appendf(b, ":%v", f.Prob)
	}
	if f.Nth > 0 {
		b = fmt.Appendf(b, ":%dth", f.Nth)
	}
	if f.PerConnection {
		b = append(b, ":conn"...)
	}
	if f.Verb != "" {
		b = fmt.Appendf(b, ":only=%s", f.Verb)
	}
	if f.After > 0 {
		b = fmt.Appendf(b, ":after=%v", f.After)
	}
	return string(b)
}
