package smtptest

import (
	"fmt"
	"strings"
)

// commandPlaces are what Postfix's smtp-sink calls commands: its vocabulary,
// with AUTH and the rest of ours besides.
var commandPlaces = []struct {
	name  string
	phase Phase
	verb  string
}{
	{"CONNECT", PhaseGreeting, ""}, {"HELO", PhaseEHLO, "HELO"}, {"EHLO", PhaseEHLO, "EHLO"}, {"LHLO", PhaseEHLO, "LHLO"},
	{"STARTTLS", PhaseSTARTTLS, ""}, {"AUTH", PhaseAUTH, ""},
	{"MAIL", PhaseMAIL, ""}, {"RCPT", PhaseRCPT, ""}, {"DATA", PhaseDATA, ""}, {".", PhaseFinal, ""},
	{"RSET", PhaseRSET, ""}, {"NOOP", PhaseNOOP, ""}, {"QUIT", PhaseQUIT, ""},
	{"VRFY", PhaseOther, "VRFY"}, {"EXPN", PhaseOther, "EXPN"}, {"HELP", PhaseOther, "HELP"},
	{"XCLIENT", PhaseOther, "XCLIENT"}, {"XFORWARD", PhaseOther, "XFORWARD"},
}

// FaultsAt returns a fault at each of the commands in the list, which Postfix's
// smtp-sink would read too: names separated by commas or white space, in any
// case. They are CONNECT, HELO, EHLO, MAIL, RCPT, VRFY, DATA, the dot, RSET, NOOP
// and QUIT; here also STARTTLS, AUTH, EXPN, HELP, XCLIENT and XFORWARD. Phase and
// Verb of the fault are overwritten.
func FaultsAt(commands string, f Fault) ([]Fault, error) {
	var all []Fault
	for name := range strings.FieldsSeq(strings.ReplaceAll(commands, ",", " ")) {
		if err := f.placeAt(name); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if all == nil {
		return nil, fmt.Errorf("smtptest: no command named in %q", commands)
	}
	return all, nil
}

func (f *Fault) placeAt(name string) error {
	var names []string
	for _, place := range commandPlaces {
		if strings.EqualFold(place.name, name) {
			f.Phase, f.Verb = place.phase, place.verb
			if f.Phase == PhaseGreeting && f.Action == Drop {
				f.Phase = PhaseConnect
			}
			return nil
		}
		names = append(names, strings.ToLower(place.name))
	}
	return fmt.Errorf("smtptest: unknown command %q; commands are %s", name, strings.Join(names, ", "))
}
