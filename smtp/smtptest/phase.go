package smtptest

// Phase is a point of a session at which the server can say no or misbehave.
type Phase uint8

// The phases, in the order of a session.
const (
	PhaseConnect    Phase = iota // a connection was accepted; nothing was said
	PhaseGreeting                // the greeting
	PhaseEHLO                    // EHLO, HELO and LHLO
	PhaseSTARTTLS                // the reply to STARTTLS
	PhaseTLS                     // the TLS handshake
	PhaseAUTH                    // the verdict on a login
	PhaseMAIL                    // MAIL
	PhaseRCPT                    // RCPT
	PhaseDATA                    // DATA, and each BDAT but the last
	PhaseBody                    // while the content arrives
	PhaseFinal                   // the verdict on the content; LMTP: for each recipient
	PhaseAfterFinal              // the message was accepted; its reply was not sent yet
	PhaseRSET                    // RSET
	PhaseNOOP                    // NOOP
	PhaseQUIT                    // QUIT
	PhaseIdle                    // waiting for a command after EHLO, outside a transaction
	PhaseOther                   // VRFY, EXPN, HELP, XCLIENT, XFORWARD and what is no command
	phaseCount
)

var phaseNames = [phaseCount]string{
	"connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data",
	"body", "final", "after-final", "rset", "noop", "quit", "idle", "other",
}

// String returns the name of the phase as ParseFault reads it.
func (p Phase) String() string {
	if p >= phaseCount {
		return "unknown"
	}
	return phaseNames[p]
}

func parsePhase(name string) (Phase, bool) {
	for i, n := range phaseNames {
		if n == name {
			return Phase(i), true
		}
	}
	return 0, false
}
