package smtp_test

import (
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

// answered reads a reply as it stands on the wire: "450 4.2.1 text".
func answered(t testing.TB, lines string) smtp.Reply {
	t.Helper()
	r, err := smtp.NewReplyReader(strings.NewReader(strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n")).Next()
	if err != nil {
		t.Fatal(lines, err)
	}
	return r
}

// Replies of providers and servers as they were seen, and what they are about.
var refusals = []struct {
	phase smtp.Phase
	reply string
	class smtp.Class
}{
	// Connections.
	{smtp.PhaseFinal, "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending", smtp.ClassConnectionLimit},
	{smtp.PhaseAuth, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", smtp.ClassAuthTemporary},
	{smtp.PhaseGreeting, "421 4.4.5 Too many connections, try again later", smtp.ClassConnectionLimit},
	{smtp.PhaseGreeting, "421 mx.example.com Too many connected clients, try again in a moment", smtp.ClassConnectionLimit},
	{smtp.PhaseGreeting, "421 mx: Too many concurrent SMTP connections; please try again later.", smtp.ClassConnectionLimit},
	{smtp.PhaseGreeting, "554 5.7.0 Too many connections from your address", smtp.ClassConnectionLimit},
	{smtp.PhaseIdle, "421 4.4.2 mx.example.com Error: timeout exceeded", smtp.ClassConnectionLimit},
	{smtp.PhaseGreeting, "554 No SMTP service here", smtp.ClassConnect},
	{smtp.PhaseHello, "550 5.7.1 Go away", smtp.ClassConnect},
	{smtp.PhaseTLS, "454 4.7.0 TLS not available due to local problem", smtp.ClassTLS},
	// One session.
	{smtp.PhaseMail, "421 Maximum message count per session reached. Please reconnect", smtp.ClassSessionLimit},
	{smtp.PhaseMail, "421 too many messages in this connection", smtp.ClassSessionLimit},
	{smtp.PhaseData, "452 4.4.5 Maximum number of messages per session exceeded.", smtp.ClassSessionLimit},
	{smtp.PhaseMail, "452 4.5.3 Too many recipients: Too many messages sent", smtp.ClassSessionLimit}, // OpenSMTPD, of one session
	// Too many in a time is no matter of the session: a new connection would hammer.
	{smtp.PhaseMail, "450 4.7.1 Error: too many messages from 192.0.2.1, slow down", smtp.ClassRate},
	{smtp.PhaseFinal, "451 4.7.1 Too many messages per hour", smtp.ClassRate},
	// How fast.
	{smtp.PhaseFinal, "454 Throttling failure: Maximum sending rate exceeded.", smtp.ClassRate},
	{smtp.PhaseMail, "451 4.7.500 Server busy. Please try again later from [192.0.2.1].", smtp.ClassRate},
	{smtp.PhaseMail, "451 4.7.500 Access denied, please try again later", smtp.ClassRate},
	{smtp.PhaseRcpt, "450 4.2.1 The user you are trying to contact is receiving mail too quickly.", smtp.ClassRate},
	{smtp.PhaseFinal, "450 4.2.1 Peak SMTP relay limit exceeded for customer.", smtp.ClassRate},
	{smtp.PhaseFinal, "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail", smtp.ClassRate},
	{smtp.PhaseMail, "421 4.7.28 Our system has seen more of it than it likes", smtp.ClassRate},
	// A day's allowance; Google says so with 5xx.
	{smtp.PhaseFinal, "454 Throttling failure: Daily message quota exceeded.", smtp.ClassQuota},
	{smtp.PhaseFinal, "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n550 5.4.5 sending limits go to https://support.google.com/a/answer/166852", smtp.ClassQuota},
	{smtp.PhaseMail, "550 5.4.5 The daily allowance is used up", smtp.ClassQuota},
	{smtp.PhaseMail, "550 5.7.1 Daily SMTP relay limit exceeded for user", smtp.ClassQuota},
	{smtp.PhaseFinal, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message", smtp.ClassQuota},
	// A recipient's full mailbox is not the sender's quota.
	{smtp.PhaseRcpt, "552 5.2.2 <joe@example.com> Quota exceeded (mailbox for user is full)", smtp.ClassRecipient},
	{smtp.PhaseRcpt, "452 4.2.2 The email account that you tried to reach is over quota", smtp.ClassRecipient},
	{smtp.PhaseRcpt, "552 Mailbox quota exceeded", smtp.ClassRecipient},
	{smtp.PhaseFinal, "552 5.2.2 Quota exceeded", smtp.ClassRecipient},
	// The login.
	{smtp.PhaseAuth, "454 4.7.0 Temporary authentication failure", smtp.ClassAuthTemporary},
	{smtp.PhaseAuth, "454 4.7.0 Too many login attempts, please try again later. gsmtp", smtp.ClassAuthTemporary},
	{smtp.PhaseAuth, "421 4.7.0 Try again later, closing connection", smtp.ClassAuthTemporary},
	{smtp.PhaseAuth, "451 Authentication failed: Maximum credits exceeded", smtp.ClassAuthTemporary},
	{smtp.PhaseAuth, "535 5.7.8 Username and Password not accepted.", smtp.ClassAuth},
	{smtp.PhaseAuth, "535 5.7.3 Authentication unsuccessful", smtp.ClassAuth},
	{smtp.PhaseAuth, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", smtp.ClassAuth},
	{smtp.PhaseAuth, "534 5.7.9 Application-specific password required.", smtp.ClassAuth},
	{smtp.PhaseAuth, "538 5.7.11 Encryption required for requested authentication mechanism", smtp.ClassAuth},
	{smtp.PhaseAuth, "503 5.5.1 Already authenticated", smtp.ClassProtocol},
	{smtp.PhaseMail, "530 5.7.0 Authentication Required.", smtp.ClassAuth},
	{smtp.PhaseMail, "530 5.7.57 Client not authenticated to send mail.", smtp.ClassAuth},
	{smtp.PhaseRcpt, "550 5.7.1 Authentication required", smtp.ClassAuth},
	{smtp.PhaseMail, "503 5.5.4 Error: send AUTH command first", smtp.ClassAuth},
	// How large, how many.
	{smtp.PhaseMail, "552 5.3.4 Message size exceeds fixed limit", smtp.ClassSize},
	{smtp.PhaseFinal, "552 5.2.3 Your message exceeded Google's message size limits.", smtp.ClassSize},
	{smtp.PhaseFinal, "552 Message too large", smtp.ClassSize},
	{smtp.PhaseFinal, "552 Message is too long.", smtp.ClassSize},
	{smtp.PhaseRcpt, "452 4.5.3 Too many recipients (AS780090)", smtp.ClassTooManyRecipients},
	{smtp.PhaseRcpt, "552 Too many recipients", smtp.ClassTooManyRecipients},
	{smtp.PhaseRcpt, "452 4.5.3 That is enough of them", smtp.ClassTooManyRecipients},
	{smtp.PhaseRcpt, "452 No more recipients, please", smtp.ClassTooManyRecipients},
	{smtp.PhaseRcpt, "452 4.2.2 Error: too many recipients", smtp.ClassTooManyRecipients},    // nodemailer's server has one
	{smtp.PhaseFinal, "552 5.2.2 Error: message exceeds fixed maximum size", smtp.ClassSize}, // enhanced code for each basic one
	// Who.
	{smtp.PhaseFinal, "554 5.2.252 SendAsDenied; joe@example.com not allowed to send as ann@example.com", smtp.ClassSender},
	{smtp.PhaseFinal, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", smtp.ClassSender},
	{smtp.PhaseFinal, "554 Message rejected: Email address is not verified. The following identities failed the check", smtp.ClassSender},
	{smtp.PhaseFinal, "550 The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.", smtp.ClassSender},
	{smtp.PhaseRcpt, "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user joe", smtp.ClassSender},
	{smtp.PhaseFinal, "550 5.7.25 The IP address sending this message does not have a PTR record setup", smtp.ClassSender},
	{smtp.PhaseFinal, "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.", smtp.ClassSender},
	{smtp.PhaseMail, "550 5.1.8 Access denied, bad outbound sender", smtp.ClassSender},
	{smtp.PhaseMail, "553 Bad sender", smtp.ClassSender},
	{smtp.PhaseRcpt, "550 5.1.1 <joe@example.com>: Recipient address rejected: User unknown", smtp.ClassRecipient},
	{smtp.PhaseRcpt, "553 5.1.3 The recipient address is not a valid RFC-5321 address", smtp.ClassRecipient},
	{smtp.PhaseRcpt, "501 <joe>: malformed address", smtp.ClassRecipient},
	{smtp.PhaseRcpt, "550 Invalid recipient", smtp.ClassRecipient},
	{smtp.PhaseFinal, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", smtp.ClassRecipient},
	// Content.
	{smtp.PhaseFinal, "552 5.7.0 This message was blocked because its content presents a potential security issue.", smtp.ClassContent},
	{smtp.PhaseFinal, "550 5.7.1 Message contains spam", smtp.ClassContent},
	{smtp.PhaseFinal, "554 5.6.0 Malformed MIME", smtp.ClassContent},
	// The two sides lost each other.
	{smtp.PhaseMail, "503 5.5.1 Bad sequence of commands", smtp.ClassProtocol},
	{smtp.PhaseRcpt, "503 5.5.1 Error: need MAIL command", smtp.ClassProtocol},
	{smtp.PhaseRcpt, "554 5.5.0 Error: SMTP protocol synchronization", smtp.ClassProtocol},
	{smtp.PhaseFinal, "554 SMTP synchronization error", smtp.ClassProtocol},
	{smtp.PhaseMail, "500 5.5.1 Invalid command: Pipelining not supported", smtp.ClassProtocol},
	{smtp.PhaseFinal, "451 4.5.0 SMTP protocol violation, see RFC 2821", smtp.ClassProtocol},
	{smtp.PhaseReset, "502 Command not recognized", smtp.ClassProtocol},
	{smtp.PhaseMail, "504 5.5.4 Parameter not implemented", smtp.ClassProtocol},
}

func TestRefusalsOfProvidersAreUnderstood(t *testing.T) {
	t.Parallel()
	reached := make([]bool, smtp.RuleCount())
	for _, test := range refusals {
		r := answered(t, test.reply)
		if got := smtp.Classify(test.phase, r); got != test.class {
			t.Errorf("%v: %s: %v, want %v", test.phase, test.reply, got, test.class)
		}
		if i := smtp.DecidingRule(test.phase, r); i >= 0 {
			reached[i] = true
		}
	}
	for i, was := range reached {
		if !was {
			t.Errorf("rule %d never decides", i)
		}
	}
}

func TestPositiveRepliesAreOfNoClass(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"250 2.0.0 Daily quota exceeded", "220 too many connections", "235 Authentication required"} {
		if got := smtp.Classify(smtp.PhaseFinal, answered(t, reply)); got != smtp.ClassNone {
			t.Errorf("%s: %v", reply, got)
		}
	}
	if got := smtp.Classify(smtp.PhaseMail, smtp.Reply{}); got != smtp.ClassNone {
		t.Errorf("no reply: %v", got)
	}
}

// What is a synchronisation error is no verdict on the message and is repeated;
// what is about an argument is not.
func TestSynchronizationErrors(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]bool{
		"554 5.5.0 Error: SMTP protocol synchronization":      true,
		"554 SMTP synchronization error":                      true,
		"500 5.5.1 Invalid command: Pipelining not supported": true,
		"503 Bad sequence of commands":                        true,
		"503 5.5.1 Error: need MAIL command":                  true,
		"501 5.1.7 Bad sender address":                        false,
		"504 5.5.2 <x>: need a full name":                     false,
		"550 5.1.1 No such user":                              false,
		"451 4.3.0 pipelining is busy":                        false,
	} {
		if got := smtp.SynchronizationError(answered(t, reply)); got != want {
			t.Errorf("%s: %v", reply, got)
		}
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		phase       smtp.Phase
		reply, want string
	}{
		{smtp.PhaseAuth, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "OAuth 2"},
		{smtp.PhaseAuth, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", "OAuth 2"},
		{smtp.PhaseAuth, "534 5.7.9 Please log in with your web browser", "app password"},
		{smtp.PhaseAuth, "535 5.7.8 Username and Password not accepted", "check user name and password"},
		{smtp.PhaseMail, "530 5.7.0 Must issue a STARTTLS command first", "STARTTLS"},
		{smtp.PhaseFinal, "554 Message rejected: Email address is not verified.", "verify the sender"},
		{smtp.PhaseRcpt, "554 5.7.1 <a@b>: Relay access denied", "log in"},
		{smtp.PhaseFinal, "554 5.2.252 SendAsDenied; a not allowed to send as b", "belongs to this account"},
		{smtp.PhaseGreeting, "421 4.4.5 Too many connections", "fewer connections"},
		{smtp.PhaseFinal, "454 Throttling failure: Daily message quota exceeded.", "window"},
		{smtp.PhaseRcpt, "550 5.1.1 No such user", ""},
	} {
		r := answered(t, test.reply)
		got := smtp.HintFor(test.phase, smtp.Classify(test.phase, r), r)
		if !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q", test.reply, got)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, r := range refusals {
		f.Add(uint8(r.phase), r.reply)
	}
	f.Fuzz(func(t *testing.T, phase uint8, line string) {
		r, err := smtp.NewReplyReader(strings.NewReader(line + "\r\n")).Next()
		if err != nil {
			return
		}
		class := smtp.Classify(smtp.Phase(phase), r)
		if (class == smtp.ClassNone) != r.Positive() {
			t.Errorf("%v: %v", r, class)
		}
		smtp.HintFor(smtp.Phase(phase), class, r)
		smtp.SynchronizationError(r)
	})
}
