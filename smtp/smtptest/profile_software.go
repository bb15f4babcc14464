package smtptest

import "time"

// postfix is Postfix 3.7 with its default settings, TLS and SASL on
// (source, postconf -d). Whether a login is required is up to each site.
func postfix() Config {
	return Config{
		Name: "mail.example.com", TLS: TLSStartTLS,
		Extensions: []string{"PIPELINING", "SIZE", "VRFY", "ETRN", "STARTTLS", "AUTH", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN"}, AnySecret: true, BeforeTLS: true,
			Refused: Reply{535, "5.7.8 Error: authentication failed: authentication failure"},
		},
		Timeout: 5 * time.Minute,
		Limits: Limits{
			MaxSize: 10240000, Connections: 50, RecipientsPerMessage: 1000,
			// Off unless a site sets smtpd_client_message_rate_limit.
			Rate:   Rate{Reply: Reply{450, "4.7.1 Error: too much mail from {client}"}},
			Logins: Rate{Reply: Reply{450, "4.7.1 Error: too many AUTH commands from {client}"}},
		},
		Quirks: Quirks{StrictSync: true, ErrorLimit: 20, EnhancedAnyway: true},
		Replies: Replies{
			QueueID:            "3F2A1######",
			Greeting:           Reply{220, "{name} ESMTP Postfix"},
			TooManyConnections: Reply{421, "4.7.0 {name} Error: too many connections from {client}"},
			AuthRequired:       Reply{530, "5.7.0 Authentication required"},
			Mail:               Reply{250, "2.1.0 Ok"},
			Rcpt:               Reply{250, "2.1.5 Ok"},
			UnknownRecipient:   Reply{550, "5.1.1 <{arg}>: Recipient address rejected: User unknown in local recipient table"},
			TooManyRecipients:  Reply{452, "4.5.3 Error: too many recipients"},
			NoRecipients:       Reply{554, "5.5.1 Error: no valid recipients"},
			Data:               Reply{354, "End data with <CR><LF>.<CR><LF>"},
			Accepted:           Reply{250, "2.0.0 Ok: queued as {id}"},
			TooLarge:           Reply{552, "5.3.4 Message size exceeds fixed limit"},
			Timeout:            Reply{421, "4.4.2 {name} Error: timeout exceeded"},
			TooManyErrors:      Reply{421, "4.7.0 {name} Error: too many errors"},
			BadSequence:        Reply{503, "5.5.1 Error: need MAIL command"},
			Unrecognized:       Reply{502, "5.5.2 Error: command not recognized"},
			NotImplemented:     Reply{502, "5.5.1 Error: command not implemented"},
		},
	}
}

// exim is Exim 4.96 with its default settings, TLS and an authenticator on
// (source). Its limit of ten commands that have no part in a message is not
// here.
func exim() Config {
	return Config{
		Name: "mail.example.com", TLS: TLSStartTLS,
		Extensions: []string{"SIZE", "8BITMIME", "PIPELINING", "PIPECONNECT", "AUTH", "CHUNKING", "STARTTLS", "PRDR", "SMTPUTF8", "HELP"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN"}, AnySecret: true,
			Refused: Reply{535, "Incorrect authentication data"},
		},
		Timeout: 5 * time.Minute,
		Limits: Limits{
			MaxSize: 52428800, Connections: 20, RecipientsPerMessage: 50000,
			MessagesPerConnection: 1000, MessagesReply: Reply{421, "too many messages in this connection"},
		},
		Quirks: Quirks{EnhancedAnyway: true},
		Replies: Replies{
			Hello: "{name} Hello {hello} [{client}]", QueueID: "1tABcd-0000000####-2XYZ",
			Greeting:           Reply{220, "{name} ESMTP Exim 4.96 {date}"},
			TooManyConnections: Reply{421, "Too many concurrent SMTP connections; please try again later."},
			StartTLS:           Reply{220, "TLS go ahead"},
			LoggedIn:           Reply{235, "Authentication succeeded"},
			AuthRequired:       Reply{550, "Authentication required"}, // each site's own words
			Mail:               Reply{250, "OK"},
			Rcpt:               Reply{250, "Accepted"},
			UnknownRecipient:   Reply{550, "Unrouteable address"},
			TooManyRecipients:  Reply{452, "too many recipients"},
			NoRecipients:       Reply{503, "Valid RCPT command must precede DATA"},
			Data:               Reply{354, `Enter message, ending with "." on a line by itself`},
			Accepted:           Reply{250, "OK id={id}"},
			TooLarge:           Reply{552, "Message size exceeds maximum permitted"},
			Rset:               Reply{250, "Reset OK"},
			Noop:               Reply{250, "OK"},
			Quit:               Reply{221, "{name} closing connection"},
			Timeout:            Reply{421, "{name}: SMTP command timeout - closing connection"},
			BadSequence:        Reply{503, "sender not yet given"},
			Unrecognized:       Reply{500, "unrecognized command"},
			NotImplemented:     Reply{502, "command not implemented"}, // assumed
		},
	}
}

// openSMTPD is OpenSMTPD 7 (source of smtp_session.c, smtpd.conf(5)), on a
// listener that wants TLS and a login.
func openSMTPD() Config {
	return Config{
		Name: "mail.example.com", TLS: TLSStartTLS, RequireTLS: true,
		Extensions: []string{"8BITMIME", "ENHANCEDSTATUSCODES", "SIZE", "DSN", "STARTTLS", "AUTH", "HELP"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN"}, AnySecret: true, Required: true,
			Refused: Reply{535, "Authentication failed"},
		},
		Limits: Limits{
			MaxSize: 36700160, RecipientsPerMessage: 1000,
			MessagesPerConnection: 100, MessagesReply: Reply{452, "4.5.3 Too many recipients: Too many messages sent"},
		},
		Quirks: Quirks{RejectPipelining: true, EnhancedAnyway: true},
		Replies: Replies{
			Hello: "{name} Hello {hello} [{client}], pleased to meet you", QueueID: "########",
			Greeting:           Reply{220, "{name} ESMTP OpenSMTPD"},
			TooManyConnections: Reply{421, "Too many connections"}, // assumed: it stops accepting
			TLSRequired:        Reply{530, "5.5.1 Invalid command: Must issue a STARTTLS command first"},
			LoggedIn:           Reply{235, "2.0.0 Authentication succeeded"},
			AuthRequired:       Reply{530, "5.5.1 Invalid command: Must issue an AUTH command first"},
			Mail:               Reply{250, "2.0.0 Ok"},
			Rcpt:               Reply{250, "2.1.5 Destination address valid: Recipient ok"},
			UnknownRecipient:   Reply{550, "Invalid recipient: <{arg}>"},
			TooManyRecipients:  Reply{451, "4.5.3 Too many recipients: Too many recipients"},
			NoRecipients:       Reply{503, "5.5.4 Invalid command arguments: No recipient specified"},
			Data:               Reply{354, `Enter mail, end with "." on a line by itself`},
			Accepted:           Reply{250, "2.0.0 {id} Message accepted for delivery"},
			TooLarge:           Reply{554, "5.3.4 Message too big for system: Transaction failed, message too big"},
			Rset:               Reply{250, "2.0.0 Reset state"},
			BadSequence:        Reply{503, "5.5.1 Invalid command: Command not allowed at this point."},
			Unrecognized:       Reply{500, "5.5.1 Invalid command: Command unrecognized"},
			NotImplemented:     Reply{503, "5.5.1 Invalid command: Command not supported"},
		},
	}
}

// stalwart is Stalwart with its default settings, on its submission port
// (source; the order of the extensions from a capture).
func stalwart() Config {
	return Config{
		Name: "mail.example.com", TLS: TLSStartTLS,
		Extensions: []string{"STARTTLS", "SMTPUTF8", "SIZE", "REQUIRETLS", "PIPELINING", "NO-SOLICITING", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING", "BINARYMIME", "AUTH", "8BITMIME"},
		Auth: &Auth{
			Mechanisms: []string{"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}, AnySecret: true, Required: true,
			Refused: Reply{535, "5.7.8 Authentication credentials invalid."},
		},
		Limits: Limits{
			MaxSize: 104857600, RecipientsPerMessage: 100,
			MessagesPerConnection: 10, MessagesReply: Reply{452, "4.4.5 Maximum number of messages per session exceeded."},
			// Each site sets its own; Stalwart says it to RCPT.
			Rate:  Rate{Reply: Reply{452, "4.4.5 Rate limit exceeded, try again later."}},
			Quota: Rate{AtFinal: true, Reply: Reply{452, "4.3.1 Mail system full, try again later."}},
		},
		Quirks: Quirks{LimitAtData: true, StickyTransaction: true, EnhancedAnyway: true},
		Replies: Replies{
			Hello: "{name} you had me at EHLO", QueueID: "2b############",
			Greeting:           Reply{220, "{name} Stalwart ESMTP at your service"},
			TooManyConnections: Reply{421, "4.4.5 Too many connections, try again later."},
			StartTLS:           Reply{220, "2.0.0 Ready to start TLS."},
			LoggedIn:           Reply{235, "2.7.0 Authentication succeeded."},
			AuthRequired:       Reply{503, "5.5.1 You must authenticate first."},
			Mail:               Reply{250, "2.1.0 OK"},
			Rcpt:               Reply{250, "2.1.5 OK"},
			UnknownRecipient:   Reply{550, "5.1.2 Mailbox does not exist."},
			TooManyRecipients:  Reply{455, "4.5.3 Too many recipients."},
			NoRecipients:       Reply{503, "5.5.1 RCPT is required first."},
			Data:               Reply{354, "Start mail input; end with <CRLF>.<CRLF>"},
			Accepted:           Reply{250, "2.0.0 Message queued with id {id}."},
			TooLarge:           Reply{552, "5.3.4 Message too big for system."},
			Rset:               Reply{250, "2.0.0 OK"},
			Noop:               Reply{250, "2.0.0 OK"},
			Quit:               Reply{221, "2.0.0 Bye."},
			Timeout:            Reply{221, "2.0.0 Disconnecting inactive client."}, // assumed
			BadSequence:        Reply{503, "5.5.1 MAIL is required first."},
			Unrecognized:       Reply{500, "5.5.1 Invalid command."},
			NotImplemented:     Reply{502, "5.5.1 Command not implemented."}, // assumed
		},
	}
}
