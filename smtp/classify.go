package smtp

import "strings"

// rule is one line of what is known about replies. A zero field matches
// anything; the first rule that matches decides.
type rule struct {
	phases phaseSet
	codes  []int
	subs   []EnhancedCode // 0xffff in the last place matches any detail
	texts  []string       // any of them, lower case
	class  Class
}

type phaseSet uint32

func phases(list ...Phase) (s phaseSet) {
	for _, p := range list {
		s |= 1 << p
	}
	return s
}

const anyDetail = 0xffff

var (
	atGreeting = phases(PhaseGreeting, PhaseHello)
	atAuth     = phases(PhaseAuth)
	atRcpt     = phases(PhaseRcpt)
	atVerdict  = phases(PhaseRcpt, PhaseData, PhaseBody, PhaseFinal)
	atEnvelope = phases(PhaseMail, PhaseRcpt, PhaseData, PhaseBody, PhaseFinal)
)

// rules come from servers' sources and documentation and from replies seen in
// the field; provider texts stand before the general meaning of a code.
var rules = []rule{
	// Some servers have one enhanced code for each basic one, whatever it is about:
	// the text knows better.
	{phases: atRcpt, codes: []int{452, 552}, texts: []string{"too many recipients"}, class: ClassTooManyRecipients},
	{phases: atVerdict, codes: []int{552}, texts: []string{"message exceeds", "message too large", "message size"}, class: ClassSize},
	// A full mailbox is the recipient's matter, also where it is called a quota.
	{phases: atVerdict, subs: []EnhancedCode{{4, 2, 2}, {5, 2, 2}}, class: ClassRecipient},
	{phases: atVerdict, texts: []string{"mailbox full", "mailbox is full", "mailbox quota", "over quota"}, class: ClassRecipient},
	// A day's (or similar) allowance is used up. Google says so with 5xx.
	{texts: []string{"daily message quota", "quota exceeded", "daily user sending", "daily sending", "daily smtp relay", "sending quota", "submissionquota", "sending limit exceeded"}, class: ClassQuota},
	{subs: []EnhancedCode{{5, 4, 5}, {4, 4, 5}}, texts: []string{"daily", "quota", "sending limit"}, class: ClassQuota},
	// Enough on this connection. "Too many messages" alone may mean per hour, and
	// a new connection for each would be hammering.
	{texts: []string{"per session", "session limit", "messages per connection", "messages in this", "on this connection", "in one connection", "message count per", "session maximum", "maximum session", "too many messages sent"}, class: ClassSessionLimit},
	// Too many connections.
	{codes: []int{421, 432, 450, 451, 452, 454, 554}, texts: []string{"concurrent connection", "too many connect", "too many client", "connection limit", "connections from", "too many session", "connection rate"}, class: ClassConnectionLimit},
	// The login.
	{phases: atAuth, codes: []int{421, 432, 450, 451, 452, 454}, class: ClassAuthTemporary},
	{phases: atAuth, codes: []int{500, 501, 502, 503, 504}, class: ClassProtocol},
	{phases: atAuth, class: ClassAuth},
	{phases: atEnvelope, codes: []int{530, 535, 534, 538}, class: ClassAuth},
	{phases: atEnvelope, texts: []string{"authentication required", "not authenticated", "must authenticate", "need to authenticate", "authentication is required", "auth command first"}, class: ClassAuth},
	// How fast.
	{codes: []int{421, 450, 451, 452, 454}, texts: []string{"rate limit", "sending rate", "too quickly", "too fast", "throttl", "server busy", "relay limit", "slow down", "try again in", "too much mail", "too many messages", "unusual rate"}, class: ClassRate},
	{subs: []EnhancedCode{{4, 7, 28}, {4, 7, 500}}, class: ClassRate},
	{codes: []int{421}, class: ClassConnectionLimit},
	{phases: atGreeting, class: ClassConnect},
	{phases: phases(PhaseTLS), class: ClassTLS},
	// How much. 552 to RCPT is 452 in old clothes (RFC 5321 §4.5.3.1.10).
	{phases: atRcpt, subs: []EnhancedCode{{4, 5, 3}, {5, 5, 3}}, class: ClassTooManyRecipients},
	{phases: atRcpt, codes: []int{452, 552}, texts: []string{"too many", "recipients"}, class: ClassTooManyRecipients},
	{subs: []EnhancedCode{{5, 3, 4}, {5, 2, 3}, {4, 3, 4}}, class: ClassSize},
	{codes: []int{552}, texts: []string{"size", "too large", "too big", "too long", "exceeds"}, class: ClassSize},
	// The two sides lost each other. 501 and 504 to RCPT are about the address.
	{texts: []string{"synchronization error", "protocol synchronization", "pipelining not supported"}, class: ClassProtocol},
	{codes: []int{500, 502, 503}, subs: []EnhancedCode{{5, 5, anyDetail}, {}}, class: ClassProtocol},
	{subs: []EnhancedCode{{4, 5, 0}}, class: ClassProtocol},
	// Who.
	{texts: []string{"email address is not verified", "sendasdenied", "not owned by user", "sender address rejected", "not allowed to send as", "verified sender identity"}, class: ClassSender},
	{subs: []EnhancedCode{{5, 7, 60}, {5, 1, 7}, {5, 1, 8}, {4, 1, 8}, {5, 7, 25}, {5, 7, 26}, {5, 7, 27}}, class: ClassSender},
	{phases: atRcpt, class: ClassRecipient},
	{phases: atVerdict, subs: []EnhancedCode{{5, 1, 1}, {5, 1, 2}, {5, 1, 3}, {5, 1, 10}, {4, 1, 1}}, class: ClassRecipient},
	{codes: []int{501, 504}, subs: []EnhancedCode{{5, 5, anyDetail}, {}}, class: ClassProtocol},
	{phases: phases(PhaseMail), class: ClassSender},
	{phases: phases(PhaseData, PhaseBody, PhaseFinal), class: ClassContent},
}

// Classify says what a refusal is about: the only place where replies are
// interpreted. The first digit of the code decides between temporary and
// permanent, the enhanced code and the text refine. A positive reply is of
// ClassNone.
func Classify(phase Phase, r Reply) Class {
	if r.Positive() || r.IsZero() {
		return ClassNone
	}
	text := strings.ToLower(r.Text)
	for i := range rules {
		if rules[i].matches(phase, r, text) {
			return rules[i].class
		}
	}
	return ClassProtocol
}

func (u *rule) matches(phase Phase, r Reply, text string) bool {
	return (u.phases == 0 || u.phases&(1<<phase) != 0) && u.hasCode(r.Code) && u.hasSub(r.Enhanced) && u.hasText(text)
}

func (u *rule) hasCode(code int) bool {
	for _, c := range u.codes {
		if c == code {
			return true
		}
	}
	return u.codes == nil
}

func (u *rule) hasSub(e EnhancedCode) bool {
	for _, s := range u.subs {
		if s == e || s[2] == anyDetail && s[0] == e[0] && s[1] == e[1] {
			return true
		}
	}
	return u.subs == nil
}

func (u *rule) hasText(text string) bool {
	for _, t := range u.texts {
		if strings.Contains(text, t) {
			return true
		}
	}
	return u.texts == nil
}

// synchronizationError: the server did not follow, rather than say no to the
// message. 501 and 504 with a subject of their own are about an argument.
func synchronizationError(r Reply) bool {
	text := strings.ToLower(r.Text)
	for _, t := range []string{"synchronization error", "protocol synchronization", "pipelining not supported", "pipelining"} {
		if r.Permanent() && strings.Contains(text, t) {
			return true
		}
	}
	switch r.Code {
	case 500, 502, 503:
		return r.Enhanced.IsZero() || r.Enhanced[1] == 5
	case 501, 504:
		return r.Enhanced[1] == 5 && r.Enhanced[2] == 1
	}
	return false
}

const hintPassword = "check user name and password; many providers want an app password"

// hints tell a person what to do about a reply.
var hints = []struct {
	class Class // ClassNone: any
	subs  []EnhancedCode
	texts []string
	hint  string
}{
	{ClassNone, []EnhancedCode{{5, 7, 139}}, []string{"basic authentication is disabled", "smtpclientauthentication is disabled"},
		"the provider wants OAuth 2, or SMTP AUTH must be enabled for this mailbox"},
	{ClassAuth, []EnhancedCode{{5, 7, 9}}, []string{"application-specific password", "app password", "web login required"},
		"make an app password with the provider and use that"},
	{ClassNone, nil, []string{"must issue a starttls", "starttls first"}, "use STARTTLS: the server takes nothing without it"},
	{ClassNone, nil, []string{"email address is not verified"}, "verify the sender's address or domain with the provider"},
	{ClassNone, nil, []string{"relay access denied", "relaying denied", "relay not permitted", "unable to relay"},
		"log in: the server relays only for those it knows"},
	{ClassNone, nil, []string{"sendasdenied", "not owned by user"}, "send from an address that belongs to this account"},
	{ClassAuth, nil, nil, hintPassword},
	{ClassConnectionLimit, nil, []string{"connect", "client", "session"}, "use fewer connections"},
	{ClassQuota, nil, nil, "wait until the provider's window has passed, or ask for a higher limit"},
}

// hintFor is what to do about a refusal, or "".
func hintFor(_ Phase, class Class, r Reply) string {
	text := strings.ToLower(r.Text)
	for i := range hints {
		h := &hints[i]
		if h.class != ClassNone && h.class != class {
			continue
		}
		u := rule{subs: h.subs, texts: h.texts}
		if h.subs == nil && u.hasText(text) || h.texts == nil && u.hasSub(r.Enhanced) ||
			h.subs != nil && h.texts != nil && (u.hasSub(r.Enhanced) || u.hasText(text)) {
			return h.hint
		}
	}
	return ""
}
