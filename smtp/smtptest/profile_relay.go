package smtptest

import "time"

// ses is Amazon's Simple Email Service. Extensions and words on success:
// captures and the page on its SMTP interface; refusals: the page on SMTP issues
// (documented). Rate and quota are those of an account in the sandbox
// (documented); each account out of it has its own.
func ses() Config {
	return Config{
		Name: "email-smtp.amazonaws.com", TLS: TLSStartTLS, RequireTLS: true,
		Extensions: []string{"8BITMIME", "SIZE", "STARTTLS", "AUTH", "Ok"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN"}, AnySecret: true, Required: true,
			Refused: Reply{535, "Authentication Credentials Invalid"},
		},
		Timeout: 10 * time.Second, // documented: about
		Limits: Limits{
			MaxSize:               10485760, // capture
			MessagesPerConnection: 350,      // reported by users; the words, too
			MessagesReply:         Reply{421, "Maximum message count per session reached. Please reconnect"},
			RecipientsPerMessage:  50, // documented; the words are assumed
			// Both are said at the end of the content.
			Rate:  Rate{N: 1, Per: time.Second, AtFinal: true, Reply: Reply{454, "Throttling failure: Maximum sending rate exceeded."}},
			Quota: Rate{N: 200, Per: day, AtFinal: true, Reply: Reply{454, "Throttling failure: Daily message quota exceeded."}},
		},
		Quirks: Quirks{EnhancedAnyway: true},
		Replies: Replies{
			QueueID:            "0102018c2f3e4d5a-########-1111-2222-3333-444455556666-000000",
			Greeting:           Reply{220, "{name} ESMTP SimpleEmailService-d-GI38EMLB2 hkD7YwduxMJw9KrXpof7"},
			TooManyConnections: Reply{421, "Too many concurrent SMTP connections"},
			StartTLS:           Reply{220, "Ready to start TLS"},
			TLSRequired:        Reply{530, "Must issue a STARTTLS command first"},
			LoggedIn:           Reply{235, "Authentication successful."},
			AuthRequired:       Reply{530, "Authentication required"},
			Mail:               Reply{250, "Ok"},
			Rcpt:               Reply{250, "Ok"},
			UnknownRecipient:   Reply{550, "Invalid recipient"}, // assumed
			TooManyRecipients:  Reply{452, "Too many recipients"},
			NoRecipients:       Reply{503, "Error: need RCPT command"}, // assumed
			Data:               Reply{354, "End data with <CR><LF>.<CR><LF>"},
			Accepted:           Reply{250, "Ok {id}"},
			TooLarge:           Reply{552, "Message is too long."},
			Rset:               Reply{250, "Ok"},
			Noop:               Reply{250, "Ok"},
			Quit:               Reply{221, "Bye"},
			Timeout:            Reply{451, "4.4.2 Timeout waiting for data from client."},
			BadSequence:        Reply{503, "Bad sequence of commands"}, // assumed
			Unrecognized:       Reply{502, "Command not recognized"},   // assumed
			NotImplemented:     Reply{502, "Command not implemented"},  // assumed
		},
	}
}

// sendGrid is smtp.sendgrid.net. Extensions and words on success: captures.
// Limits are documented.
func sendGrid() Config {
	return Config{
		Name: "ismtpd0013p1las1.sendgrid.net", TLS: TLSStartTLS,
		Extensions: []string{"8BITMIME", "PIPELINING", "SIZE", "STARTTLS", "AUTH", "AUTH=PLAIN LOGIN"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN"}, AnySecret: true, Required: true, BeforeTLS: true,
			Refused: Reply{535, "Authentication failed: Bad username / password"},
		},
		Limits: Limits{
			MaxSize: 31457280, RecipientsPerMessage: 1000,
			Connections: 10000, MessagesPerConnection: 5000,
			MessagesReply: Reply{421, "Too many messages on this connection"}, // assumed
			// The words are documented, for an account without credits; SendGrid says
			// them to AUTH. How many an account has is its own matter.
			Logins: Rate{Reply: Reply{451, "Authentication failed: Maximum credits exceeded"}},
		},
		Quirks: Quirks{EnhancedAnyway: true},
		Replies: Replies{
			Hello: "smtp.sendgrid.net", QueueID: "Aq1zhMM3QYe###########",
			Greeting:           Reply{220, "SG ESMTP service ready at {name}"},
			TooManyConnections: Reply{421, "Too many concurrent connections"}, // assumed
			StartTLS:           Reply{220, "Begin TLS negotiation now"},
			LoggedIn:           Reply{235, "Authentication successful"},
			AuthRequired:       Reply{550, "Unauthenticated senders not allowed"},
			Mail:               Reply{250, "Sender address accepted"},
			Rcpt:               Reply{250, "Recipient address accepted"},
			UnknownRecipient:   Reply{550, "Invalid recipient"},   // assumed
			TooManyRecipients:  Reply{452, "Too many recipients"}, // assumed
			NoRecipients:       Reply{503, "Must have sender and recipient first"},
			Data:               Reply{354, "Continue"},
			Accepted:           Reply{250, "Ok: queued as {id}"},
			TooLarge:           Reply{552, "Message exceeds size limit"}, // assumed
			Rset:               Reply{250, "Reset"},
			Noop:               Reply{250, "OK"},
			Quit:               Reply{221, "See you later"},
			BadSequence:        Reply{503, "Bad sequence of commands"}, // assumed
			Unrecognized:       Reply{502, "Command not recognized"},   // assumed
			NotImplemented:     Reply{502, "Command not implemented"},  // assumed
		},
	}
}

// mailgun is smtp.mailgun.org, from captures. It does not tell queue ids.
// Limits per connection are not known.
func mailgun() Config {
	return Config{
		Name: "smtp-out-n02.prod.us-west-2.postgun.com", TLS: TLSStartTLS,
		Extensions: []string{"AUTH", "SIZE", "8BITMIME", "SMTPUTF8", "PIPELINING", "STARTTLS"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN"}, AnySecret: true, Required: true, BeforeTLS: true,
			Refused: Reply{535, "Authentication failed"},
		},
		Limits: Limits{MaxSize: 52428800, RecipientsPerMessage: 1000}, // documented
		Quirks: Quirks{EnhancedAnyway: true},
		Replies: Replies{
			Greeting:           Reply{220, "Mailgun Influx ready"},
			TooManyConnections: Reply{421, "Too many connections"}, // assumed
			StartTLS:           Reply{220, "Go ahead"},
			LoggedIn:           Reply{235, "Authentication successful"},
			AuthRequired:       Reply{530, "Authentication required"}, // assumed
			Mail:               Reply{250, "Sender address accepted"},
			Rcpt:               Reply{250, "Recipient address accepted"},
			UnknownRecipient:   Reply{550, "Invalid recipient"},   // assumed
			TooManyRecipients:  Reply{452, "Too many recipients"}, // assumed
			NoRecipients:       Reply{503, "Must have sender and recipient first"},
			Data:               Reply{354, "Continue"},
			Accepted:           Reply{250, "Great success"},
			TooLarge:           Reply{552, "Message is too big. Max message size is 52428800 bytes"}, // the code is assumed
			Rset:               Reply{250, "Reset"},
			Noop:               Reply{250, "OK"},
			Quit:               Reply{221, "See you later. Yours truly, Mailgun"},
			BadSequence:        Reply{503, "Bad sequence of commands"}, // assumed
			Unrecognized:       Reply{502, "Command not recognized"},   // assumed
			NotImplemented:     Reply{502, "Command not implemented"},  // assumed
		},
	}
}
