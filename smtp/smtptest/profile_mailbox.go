package smtptest

import "time"

// day is the window of daily quotas. Providers do not say where theirs begins.
const day = 24 * time.Hour

// gmail is smtp.gmail.com. Extensions and words on success: captures of
// 2020 to 2024. Refusals: Google's list of SMTP errors (documented).
func gmail() Config {
	return Config{
		Name: "smtp.gmail.com", TLS: TLSStartTLS, RequireTLS: true,
		Extensions: []string{"SIZE", "8BITMIME", "STARTTLS", "AUTH", "ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING", "SMTPUTF8"},
		Auth: &Auth{
			Mechanisms: []string{"LOGIN", "PLAIN", "XOAUTH2", "PLAIN-CLIENTTOKEN", "OAUTHBEARER", "XOAUTH"},
			AnySecret:  true, Required: true,
			Refused: Reply{535, "5.7.8 Username and Password not accepted. For more information, go to\n5.7.8  https://support.google.com/mail/?p=BadCredentials {id} - gsmtp"},
		},
		Limits: Limits{
			MaxSize:              35882577, // capture
			RecipientsPerMessage: 100,      // documented, for SMTP
			// Documented: 2000 a day for Workspace, 500 for others. That it is said at the end is assumed.
			Quota: Rate{N: 2000, Per: day, AtFinal: true, Reply: Reply{550, "5.4.5 Daily user sending limit exceeded. For more information on Gmail\n5.4.5 sending limits go to\n5.4.5  https://support.google.com/a/answer/166852 {id} - gsmtp"}},
			// How fast, and how many logins, is not documented: the words alone are.
			Rate:   Rate{AtFinal: true, Reply: Reply{450, "4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error. {id} - gsmtp"}},
			Logins: Rate{Reply: Reply{454, "4.7.0 Too many login attempts, please try again later. {id} - gsmtp"}},
		},
		Quirks: Quirks{EnhancedAnyway: true},
		Replies: Replies{
			Hello: "{name} at your service, [{client}]", QueueID: "a640c23a62f3a-b7654fd4b2asm########b.21",
			Greeting:           Reply{220, "{name} ESMTP {id} - gsmtp"},
			TooManyConnections: Reply{421, "4.7.0 Too many connections, try again later. {id} - gsmtp"}, // assumed
			TLSRequired:        Reply{530, "5.7.0 Must issue a STARTTLS command first. {id} - gsmtp"},
			LoggedIn:           Reply{235, "2.7.0 Accepted"},
			AuthRequired:       Reply{530, "5.7.0 Authentication Required. For more information, go to\n5.7.0  https://support.google.com/mail/?p=WantAuthError {id} - gsmtp"},
			Mail:               Reply{250, "2.1.0 OK {id} - gsmtp"},
			Rcpt:               Reply{250, "2.1.5 OK {id} - gsmtp"},
			UnknownRecipient:   Reply{550, "5.1.1 The email account that you tried to reach does not exist. {id} - gsmtp"},
			TooManyRecipients:  Reply{452, "4.5.3 Your message has too many recipients. {id} - gsmtp"},
			Data:               Reply{354, " Go ahead {id} - gsmtp"},
			Accepted:           Reply{250, "2.0.0 OK  {time} {id} - gsmtp"},
			TooLarge:           Reply{552, "5.2.3 Your message exceeded Google's message size limits. {id} - gsmtp"},
			Rset:               Reply{250, "2.1.5 Flushed {id} - gsmtp"},
			Noop:               Reply{250, "2.0.0 OK {id} - gsmtp"},
			Quit:               Reply{221, "2.0.0 closing connection {id} - gsmtp"},
			Timeout:            Reply{451, "4.4.2 Timeout - closing connection. {id} - gsmtp"},
			Unrecognized:       Reply{502, "5.5.1 Unrecognized command. {id} - gsmtp"},
		},
	}
}

// office365 is smtp.office365.com: extensions from captures of 2025, limits
// from Microsoft's page on sending limits (documented).
func office365() Config {
	return Config{
		Name: "AM0PR01CA0001.outlook.office365.com", TLS: TLSStartTLS, RequireTLS: true,
		Extensions: []string{"SIZE", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8"},
		Auth: &Auth{
			Mechanisms: []string{"LOGIN", "XOAUTH2"}, AnySecret: true, Required: true,
			Refused: Reply{535, "5.7.3 Authentication unsuccessful [{name}]"},
		},
		Limits: Limits{
			MaxSize: 157286400, RecipientsPerMessage: 1000,
			Connections: 3,
			// Documented: what is over 30 a minute is throttled and carried over. That
			// it is refused like this is assumed.
			Rate: Rate{N: 30, Per: time.Minute, Reply: Reply{451, "4.7.500 Server busy. Please try again later from [{client}]."}},
			Quota: Rate{N: 10000, Per: day, Recipients: true,
				Reply: Reply{554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message [Hostname={name}]"}},
		},
		Quirks: Quirks{CrowdedAtFinal: true, EnhancedAnyway: true},
		Replies: Replies{
			Hello: "{name} Hello [{client}]", QueueID: "AM0PR01MB################",
			Greeting: Reply{220, "{name} Microsoft ESMTP MAIL Service ready at {date}"},
			// In reply to the end of the content (capture).
			TooManyConnections: Reply{432, "4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. [Hostname={name}]"},
			StartTLS:           Reply{220, "2.0.0 SMTP server ready"},
			TLSRequired:        Reply{530, "5.7.0 Must issue a STARTTLS command first"}, // assumed
			LoggedIn:           Reply{235, "2.7.0 Authentication successful"},
			AuthRequired:       Reply{530, "5.7.57 Client not authenticated to send mail. [{name}]"},
			Mail:               Reply{250, "2.1.0 Sender OK"},
			Rcpt:               Reply{250, "2.1.5 Recipient OK"},
			UnknownRecipient:   Reply{550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"},
			TooManyRecipients:  Reply{452, "4.5.3 Too many recipients (AS780090) [{name}]"},
			NoRecipients:       Reply{503, "5.5.2 Need rcpt command [{name}]"},
			Data:               Reply{354, "Start mail input; end with <CRLF>.<CRLF>"},
			Accepted:           Reply{250, "2.0.0 OK <{id}@AM0PR01MB0001.eurprd01.prod.exchangelabs.com> [Hostname=AM0PR01MB0001.eurprd01.prod.exchangelabs.com]"},
			TooLarge:           Reply{552, "5.3.4 Message size exceeds fixed maximum message size"},
			Rset:               Reply{250, "2.0.0 Resetting"},
			Noop:               Reply{250, "2.0.0 OK"},
			Quit:               Reply{221, "2.0.0 Service closing transmission channel"},
			Timeout:            Reply{451, "4.7.0 Timeout waiting for client input [{name}]"},
			Unrecognized:       Reply{500, "5.3.3 Unrecognized command '{verb}' [{name}]"},
		},
	}
}
