package smtp

// Capabilities is what the server offered in its reply to EHLO.
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
	// Other keeps the lines that are none of the above, by keyword in upper case.
	Other map[string]string
}

// Limits is the LIMITS keyword (RFC 9422); 0 means that the server told none.
type Limits struct {
	MailMax       int `json:"mailmax,omitzero"`       // transactions on a connection
	RcptMax       int `json:"rcptmax,omitzero"`       // recipients in a transaction
	RcptDomainMax int `json:"rcptdomainmax,omitzero"` // recipient domains on a connection
}
