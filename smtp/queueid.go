package smtp

import "strings"

// queueID finds what the server calls the message in its reply to the end of
// the content; "" where it does not tell or in a form that is not known.
func queueID(text string) string {
	for _, mark := range []string{"queued as ", "queued with id ", "Message Queued (", "id=", "ids="} {
		if _, after, found := cutFold(text, mark); found {
			return idPrefix(strings.TrimPrefix(after, "<"))
		}
	}
	first, rest, _ := strings.Cut(text, " ")
	switch {
	case strings.HasPrefix(rest, "Message accepted for delivery"): // sendmail, OpenSMTPD
		return idPrefix(first)
	case strings.EqualFold(strings.TrimSuffix(first, ":"), "ok"):
		return idAfterOK(strings.Fields(rest))
	case strings.HasPrefix(first, "<") && strings.HasSuffix(rest, " Saved"): // Dovecot's LMTP: "<bob@example.net> session:T3 Saved"
		return sessionID(strings.TrimSuffix(rest, " Saved"))
	}
	return ""
}

// idAfterOK: Gmail says "OK  time id - gsmtp", Exchange Online "OK <id>
// [Hostname=host]", SES and others "Ok id".
func idAfterOK(words []string) string {
	if n := len(words); n >= 4 && words[n-1] == "gsmtp" {
		return idPrefix(words[n-3])
	}
	if len(words) == 2 && strings.HasPrefix(words[0], "<") && strings.HasPrefix(words[1], "[Hostname=") {
		return idPrefix(words[0][1:])
	}
	if len(words) == 1 && len(words[0]) >= 8 && strings.ContainsAny(words[0], "0123456789") {
		return idPrefix(words[0])
	}
	return ""
}

// sessionID is what Dovecot logs a delivery under: a session, and its transaction.
func sessionID(s string) string {
	session, transaction, more := strings.Cut(s, ":")
	id := idPrefix(session)
	if more && id == session {
		return id + ":" + idPrefix(transaction)
	}
	return id
}

// idPrefix takes the characters that queue ids are made of.
func idPrefix(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._@/+=", r))
	})
	if end < 0 {
		end = len(s)
	}
	return strings.TrimRight(s[:end], ".")
}

// cutFold is strings.Cut without regard to the case of ASCII letters.
func cutFold(s, sep string) (before, after string, found bool) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}
