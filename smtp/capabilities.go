package smtp

import (
	"slices"
	"strconv"
	"strings"
)

// Capabilities is what the server offered in its reply to EHLO (RFC 5321
// §4.1.1.1).
type Capabilities struct {
	Pipelining          bool     // RFC 2920
	Chunking            bool     // RFC 3030
	BinaryMIME          bool     // RFC 3030
	EightBitMIME        bool     // RFC 6152
	SMTPUTF8            bool     // RFC 6531
	DSN                 bool     // RFC 3461
	EnhancedStatusCodes bool     // RFC 2034
	StartTLS            bool     // RFC 3207
	RequireTLS          bool     // RFC 8689
	DeliverBy           bool     // RFC 2852
	Auth                []string // mechanisms, upper case (RFC 4954)
	Size                bool     // RFC 1870
	MaxSize             int64    // octets; 0: no fixed limit is told
	Limits              Limits   // RFC 9422
	// Other keeps the lines that are none of the above: parameters by keyword in
	// upper case.
	Other map[string]string
}

// Limits is the LIMITS keyword (RFC 9422); 0 means that the server told none.
type Limits struct {
	MailMax       int `json:"mailmax,omitzero"`       // transactions on a connection
	RcptMax       int `json:"rcptmax,omitzero"`       // recipients in a transaction
	RcptDomainMax int `json:"rcptdomainmax,omitzero"` // recipient domains on a connection
}

// parseCapabilities reads the text of a reply to EHLO. Its first line is the
// server's name. What is malformed is not offered.
func parseCapabilities(text string) Capabilities {
	var c Capabilities
	_, lines, _ := strings.Cut(text, "\n")
	for line := range strings.SplitSeq(lines, "\n") {
		keyword, parameters, _ := strings.Cut(strings.TrimSpace(line), " ")
		keyword = strings.ToUpper(keyword)
		parameters = strings.TrimSpace(parameters)
		if mechanism, ok := strings.CutPrefix(keyword, "AUTH="); ok { // from before RFC 2554
			keyword, parameters = "AUTH", mechanism+" "+parameters
		}
		if keyword != "" {
			c.add(keyword, parameters)
		}
	}
	return c
}

// flag finds the field of a keyword that has no parameters.
func (c *Capabilities) flag(keyword string) *bool {
	switch keyword {
	case "PIPELINING":
		return &c.Pipelining
	case "CHUNKING":
		return &c.Chunking
	case "BINARYMIME":
		return &c.BinaryMIME
	case "8BITMIME":
		return &c.EightBitMIME
	case "SMTPUTF8":
		return &c.SMTPUTF8
	case "DSN":
		return &c.DSN
	case "ENHANCEDSTATUSCODES":
		return &c.EnhancedStatusCodes
	case "STARTTLS":
		return &c.StartTLS
	case "REQUIRETLS":
		return &c.RequireTLS
	case "DELIVERBY":
		return &c.DeliverBy
	}
	return nil
}

func (c *Capabilities) add(keyword, parameters string) {
	if flag := c.flag(keyword); flag != nil {
		*flag = true
		return
	}
	switch keyword {
	case "SIZE":
		c.Size = true
		if n, err := strconv.ParseInt(parameters, 10, 64); err == nil && n > 0 {
			c.MaxSize = n
		}
	case "AUTH":
		for _, m := range strings.Fields(strings.ToUpper(parameters)) {
			if !slices.Contains(c.Auth, m) {
				c.Auth = append(c.Auth, m)
			}
		}
	case "LIMITS":
		c.Limits = parseLimits(parameters)
	default:
		if c.Other == nil {
			c.Other = make(map[string]string)
		}
		c.Other[keyword] = parameters
	}
}

// parseLimits: unknown names are ignored, and a syntax error voids the whole
// keyword (RFC 9422 §4).
func parseLimits(parameters string) Limits {
	var l Limits
	for field := range strings.FieldsSeq(parameters) {
		name, value, found := strings.Cut(field, "=")
		n, err := strconv.ParseUint(value, 10, 31)
		if !found || err != nil || n == 0 {
			return Limits{}
		}
		switch strings.ToUpper(name) {
		case "MAILMAX":
			l.MailMax = int(n)
		case "RCPTMAX":
			l.RcptMax = int(n)
		case "RCPTDOMAINMAX":
			l.RcptDomainMax = int(n)
		}
	}
	return l
}

// Keywords lists what is offered, one EHLO line each, sorted: for reports.
func (c Capabilities) Keywords() []string {
	var lines []string
	for _, keyword := range []string{"PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME", "SMTPUTF8", "DSN",
		"ENHANCEDSTATUSCODES", "STARTTLS", "REQUIRETLS", "DELIVERBY"} {
		if *c.flag(keyword) {
			lines = append(lines, keyword)
		}
	}
	if c.Size {
		lines = append(lines, strings.TrimSuffix("SIZE "+strconv.FormatInt(c.MaxSize, 10), " 0"))
	}
	if len(c.Auth) > 0 {
		lines = append(lines, "AUTH "+strings.Join(c.Auth, " "))
	}
	if c.Limits != (Limits{}) {
		lines = append(lines, "LIMITS"+c.Limits.String())
	}
	for keyword, parameters := range c.Other {
		lines = append(lines, strings.TrimSpace(keyword+" "+parameters))
	}
	slices.Sort(lines)
	return lines
}

// String writes the limits as the server does, each behind a space.
func (l Limits) String() string {
	s := ""
	for _, limit := range []struct {
		name string
		n    int
	}{{"MAILMAX", l.MailMax}, {"RCPTMAX", l.RcptMax}, {"RCPTDOMAINMAX", l.RcptDomainMax}} {
		if limit.n > 0 {
			s += " " + limit.name + "=" + strconv.Itoa(limit.n)
		}
	}
	return s
}
