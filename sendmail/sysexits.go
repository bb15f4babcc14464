package sendmail

import (
	"fmt"

	"github.com/kaizenmail/kaizen/smtp"
)

// meaning is what an exit code says.
type meaning struct {
	name  string
	class smtp.Class
	code  int
	sub   smtp.EnhancedCode
}

// sysexits are those of sysexits(3). What points to the machine and not to the
// message is temporary: somebody mends it, and no message is lost meanwhile.
var sysexits = map[int]meaning{
	64: {"usage error", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 5}},
	65: {"data error", smtp.ClassContent, 554, smtp.EnhancedCode{5, 6, 0}},
	66: {"cannot open input", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 0}},
	67: {"no such user", smtp.ClassRecipient, 550, smtp.EnhancedCode{5, 1, 1}},
	68: {"host name unknown", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 4, 3}}, // msmtp says so when DNS is away
	69: {"service unavailable", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 0}},
	70: {"internal error", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 0}},
	71: {"system error", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 0}},
	72: {"system file missing", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 5}},
	73: {"cannot create output", smtp.ClassConnect, 452, smtp.EnhancedCode{4, 3, 1}},
	74: {"input or output error", smtp.ClassConnect, 452, smtp.EnhancedCode{4, 3, 1}},
	75: {"temporary failure", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 0}},
	76: {"protocol error", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 5, 0}},
	77: {"permission denied", smtp.ClassAuth, 550, smtp.EnhancedCode{5, 7, 0}},
	78: {"configuration error", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 5}},

	126: {"it cannot be run", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 5}}, // these two of a shell
	127: {"command not found", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 5}},
}

// refusal is the error of an exit code.
func refusal(exit int, said *output) error {
	m, known := sysexits[exit]
	if !known {
		m = meaning{"failed", smtp.ClassConnect, 451, smtp.EnhancedCode{4, 3, 0}}
	}
	text := fmt.Sprintf("exit code %d: %s", exit, m.name)
	e := &smtp.Error{Phase: smtp.PhaseFinal, Class: m.class, Outcome: smtp.Rejected,
		Reply: smtp.Reply{Code: m.code, Enhanced: m.sub, Text: said.said(text)}}
	switch exit {
	case 64, 78:
		e.Hint = "look at the command, its arguments and its configuration"
	case 77:
		e.Hint = "look at the command's own configuration: this user may not send, or a login was refused; then resume the account"
	}
	return e
}
