package smtptest

import (
	"bytes"
	"strconv"
	"strings"
)

// transaction is what MAIL and RCPT have said so far.
type transaction struct {
	open    bool
	from    string
	params  string
	binary  bool // BODY=BINARYMIME
	utf8    bool
	to      []string
	rcpts   []string // parameters, one for each in to
	chunked bool
	broken  bool // a BDAT was refused: only RSET helps (RFC 3030 §2)
	content content
}

func (t *transaction) clear() {
	content := t.content
	content.clear()
	*t = transaction{content: content}
}

func (s *session) mail(arg []byte) error {
	now := s.countMail()
	address, params, reply := s.checkMail(arg)
	counted := false
	if !reply.refuses() {
		if r, taken := s.server.take(false, now, 1); taken {
			counted = true
		} else {
			reply = r
		}
	}
	v := s.judge(PhaseMAIL, address, reply)
	if !v.holds() {
		if counted {
			s.server.giveBack(false, now, 1)
		}
		return s.answer(v)
	}
	s.mails++
	s.newID()
	s.tx.clear()
	s.tx.open = true
	s.tx.from, s.tx.params = string(address), string(params)
	s.tx.binary = hasParam(params, "BODY=BINARYMIME")
	s.tx.utf8 = hasParam(params, "SMTPUTF8")
	return s.answer(v)
}

func (s *session) checkMail(arg []byte) (address, params []byte, r Reply) {
	address, params, fine := splitPath(arg, "FROM:")
	limit := s.config.Limits
	switch {
	case !s.hello || s.tx.open:
		r = s.words.BadSequence
	case s.wantsTLS():
		r = s.words.TLSRequired
	case s.config.Auth != nil && s.config.Auth.Required && !s.authed:
		r = s.words.AuthRequired
	case limit.MessagesPerConnection > 0 && s.mails >= limit.MessagesPerConnection && !s.config.Quirks.LimitAtData:
		r = limit.MessagesReply.or(Reply{421, "4.7.0 Too many messages on this connection"})
	case !fine:
		r = badSyntax
	default:
		r = s.checkMailParams(address, params)
	}
	return address, params, r
}

func (s *session) checkMailParams(address, params []byte) Reply {
	for field := range bytes.FieldsSeq(params) {
		key, value, _ := strings.Cut(strings.ToUpper(string(field)), "=")
		if !s.permits(key) {
			return Reply{555, "5.5.4 Unsupported parameter: " + key}
		}
		switch key {
		case "SIZE":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return badSyntax
			}
			if most := s.config.Limits.MaxSize; most > 0 && n > most {
				return s.words.TooLarge
			}
		case "BODY":
			known := value == "7BIT" || value == "8BITMIME" || value == "BINARYMIME" && s.server.offer.keywords["BINARYMIME"]
			if !known {
				return badSyntax
			}
		case "REQUIRETLS":
			if s.secure == nil {
				return Reply{530, "5.7.10 REQUIRETLS needs TLS"}
			}
		}
	}
	if !ascii(address) && !hasParam(params, "SMTPUTF8") {
		return Reply{553, "5.6.7 Address needs SMTPUTF8"}
	}
	return s.words.Mail
}

func (s *session) rcpt(arg []byte) error {
	address, params, fine := splitPath(arg, "TO:")
	reply := s.words.Rcpt
	switch most := s.config.Limits.RecipientsPerMessage; {
	case !s.tx.open:
		reply = s.words.BadSequence
	case !fine || len(address) == 0:
		reply = badSyntax
	case most > 0 && len(s.tx.to) >= most:
		reply = s.words.TooManyRecipients
	case s.server.offer.unknown != nil && s.server.offer.isUnknown(address):
		reply = s.words.UnknownRecipient
	case !ascii(address) && !s.tx.utf8:
		reply = Reply{553, "5.6.7 Address needs SMTPUTF8"}
	}
	for field := range bytes.FieldsSeq(params) {
		key, _, _ := strings.Cut(strings.ToUpper(string(field)), "=")
		if !reply.refuses() && !s.permits(key) {
			reply = Reply{555, "5.5.4 Unsupported parameter: " + key}
		}
	}
	v := s.judge(PhaseRCPT, address, reply)
	if v.holds() {
		s.tx.to = append(s.tx.to, string(address))
		s.tx.rcpts = append(s.tx.rcpts, string(params))
	}
	return s.answer(v)
}

// splitPath splits "FROM:<a@b> SIZE=1". No space is tolerated before the path,
// as RFC 5321 §3.3 has it.
func splitPath(arg []byte, keyword string) (address, params []byte, ok bool) {
	if len(arg) < len(keyword)+2 || !strings.EqualFold(string(arg[:len(keyword)]), keyword) || arg[len(keyword)] != '<' {
		return nil, nil, false
	}
	path := arg[len(keyword)+1:]
	end := pathEnd(path)
	if end < 0 {
		return nil, nil, false
	}
	params = path[end+1:]
	if len(params) > 0 && params[0] != ' ' {
		return nil, nil, false
	}
	return path[:end], bytes.TrimSpace(params), true
}

// pathEnd finds the bracket that closes a path; a quoted local part may hold others.
func pathEnd(path []byte) int {
	quoted := false
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++ // the octet behind it stands for itself
		case '>':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

func hasParam(params []byte, want string) bool {
	for field := range bytes.FieldsSeq(params) {
		if strings.EqualFold(string(field), want) {
			return true
		}
	}
	return false
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
