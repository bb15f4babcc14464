package main

import (
	"context"
	"errors"
	"strings"

	"github.com/kaizenmail/kaizen/internal/proxy"
	"github.com/kaizenmail/kaizen/smtp"
)

// advice is what mostly helps against a class of failures, and the section of
// docs/troubleshooting.md that says more.
func advice(e *smtp.Error) (text, section string) {
	if e.Outcome == smtp.Unknown {
		return "look whether the message arrived before you send it again", "In doubt"
	}
	if refused := (*proxy.Error)(nil); errors.As(e, &refused) {
		return "look at what the proxy says, and at its URL", "Proxies"
	}
	if text := adviceWithoutServer(e.Server); text != "" {
		return text, "Commands and folders"
	}
	if e.Class == smtp.ClassConnect && e.Phase == smtp.PhaseHello && e.Reply.Permanent() {
		return "check protocol and port: another kind of server may listen there", "Misunderstandings"
	}
	switch e.Class {
	case smtp.ClassConnect, smtp.ClassTimeout:
		return "check host and port, and whether a firewall lets them through", "No connection"
	case smtp.ClassCanceled:
		if errors.Is(e.Err, context.DeadlineExceeded) {
			return "raise --timeout; --transcript shows where the time went", "Timeouts"
		}
	case smtp.ClassTLS:
		return "check that port and TLS mode belong together, and the server's certificate", "Certificates and ports"
	case smtp.ClassAuth:
		return "check user name and password; with two-factor login most providers want an app password or OAuth", "Login refused"
	case smtp.ClassAuthTemporary:
		return "wait a while: the server could not check the login", "Login refused"
	case smtp.ClassRate, smtp.ClassQuota, smtp.ClassConnectionLimit, smtp.ClassSessionLimit:
		return "send less per time: rate=, connections= and messages-per-connection= in the URL", "Asked to slow down"
	case smtp.ClassSender:
		return "use a sender address that belongs to this account", "Sender or recipient refused"
	case smtp.ClassRecipient:
		return "check the recipient's address; a server that says \"relay\" wants a login first", "Sender or recipient refused"
	case smtp.ClassProtocol:
		return "check that an SMTP server listens there; level=lock-step in the URL is the most cautious way to speak to one", "Misunderstandings"
	case smtp.ClassSize:
		return "make the message smaller: attachments grow by a third on their way", "Content refused"
	case smtp.ClassContent:
		return "read the server's words: filters judge text, links and attachments", "Content refused"
	}
	return "", ""
}

// adviceWithoutServer is about what stands in place of a server.
func adviceWithoutServer(name string) string {
	scheme, _, _ := strings.Cut(name, ":")
	switch {
	case scheme == "sendmail" || strings.HasPrefix(scheme, "sendmail#"):
		return "run the command by hand with the same arguments; its exit code and words are those above"
	case strings.HasPrefix(name, "maildir:"), strings.HasPrefix(name, "eml:"):
		return "check that there is room in the folder, and that this user may write there"
	}
	return ""
}
