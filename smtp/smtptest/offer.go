package smtptest

import (
	"strconv"
	"strings"
)

// offer is what EHLO tells.
type offer struct {
	lines    []string
	keywords map[string]bool
	enhanced bool
}

func newOffer(c Config) offer {
	o := offer{keywords: map[string]bool{}, lines: c.Extensions}
	if o.lines == nil {
		o.lines = DefaultExtensions()
	}
	for i, line := range o.lines {
		keyword, _, _ := strings.Cut(strings.ToUpper(line), " ")
		o.keywords[keyword] = true
		if strings.EqualFold(line, "SIZE") && c.Limits.MaxSize > 0 {
			o.lines = append([]string(nil), o.lines...)
			o.lines[i] = "SIZE " + strconv.FormatInt(c.Limits.MaxSize, 10)
		}
	}
	o.enhanced = o.keywords["ENHANCEDSTATUSCODES"]
	return o
}

// ehlo is the reply to EHLO in the session's present state.
func (s *session) ehlo() Reply {
	lines := append([]string{s.config.Name}, s.server.offer.lines...)
	if s.offersStartTLS() {
		lines = append(lines, "STARTTLS")
	}
	if mechanisms := s.mechanisms(); len(mechanisms) > 0 {
		lines = append(lines, "AUTH "+strings.Join(mechanisms, " "))
	}
	return Reply{250, strings.Join(lines, "\n")}
}

func (s *session) offersStartTLS() bool {
	return s.config.TLS == TLSStartTLS && s.secure == nil
}

// parameterOf tells which extension a parameter of MAIL or RCPT belongs to.
var parameterOf = map[string]string{
	"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "AUTH": "AUTH",
	"RET": "DSN", "ENVID": "DSN", "NOTIFY": "DSN", "ORCPT": "DSN", "REQUIRETLS": "REQUIRETLS",
	"BY": "DELIVERBY", "MT-PRIORITY": "MT-PRIORITY", "HOLDFOR": "FUTURERELEASE", "HOLDUNTIL": "FUTURERELEASE",
}

func (s *session) permits(parameter string) bool {
	extension := parameterOf[parameter]
	return s.server.offer.keywords[extension] || extension == "AUTH" && s.config.Auth != nil
}
