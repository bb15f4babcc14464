package smtptest

import (
	"slices"
	"strconv"
	"strings"
)

// offer is what EHLO tells.
type offer struct {
	lines    []string
	keywords map[string]bool
	enhanced bool
	unknown  map[string]bool // recipients and @domains, in lower case
}

func newOffer(c Config) offer {
	o := offer{keywords: map[string]bool{}, lines: slices.Clone(c.Extensions)}
	if o.lines == nil {
		o.lines = DefaultExtensions()
	}
	for _, keyword := range []string{"STARTTLS", "AUTH"} {
		if !slices.Contains(o.lines, keyword) {
			o.lines = append(o.lines, keyword)
		}
	}
	for i, line := range o.lines {
		keyword, _, _ := strings.Cut(strings.ToUpper(line), " ")
		o.keywords[keyword] = true
		if strings.EqualFold(line, "SIZE") && c.Limits.MaxSize > 0 {
			o.lines[i] = "SIZE " + strconv.FormatInt(c.Limits.MaxSize, 10)
		}
	}
	for _, address := range c.UnknownRecipients {
		if o.unknown == nil {
			o.unknown = map[string]bool{}
		}
		o.unknown[strings.ToLower(address)] = true
	}
	o.enhanced = o.keywords["ENHANCEDSTATUSCODES"]
	return o
}

func (o *offer) isUnknown(address []byte) bool {
	whole := strings.ToLower(string(address))
	at := strings.LastIndexByte(whole, '@')
	return o.unknown[whole] || at >= 0 && o.unknown[whole[at:]]
}

// ehlo is the reply to EHLO in the session's present state.
func (s *session) ehlo() Reply {
	lines := []string{s.words.Hello}
	for _, line := range s.server.offer.lines {
		switch line {
		case "STARTTLS":
			if !s.offersStartTLS() {
				continue
			}
		case "AUTH":
			mechanisms := s.mechanisms()
			if len(mechanisms) == 0 {
				continue
			}
			line += " " + strings.Join(mechanisms, " ")
		}
		lines = append(lines, line)
	}
	return Reply{250, strings.Join(lines, "\n")}
}

// wantsTLS: STARTTLS comes first.
func (s *session) wantsTLS() bool { return s.config.RequireTLS && s.offersStartTLS() }

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
