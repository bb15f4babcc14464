package message

// parseThread checks what the message answers. Without References the message
// answered is the only one known of the thread (RFC 5322 §3.6.4).
func (p *prepared) parseThread() error {
	if p.InReplyTo != "" {
		if err := checkMessageID(p.InReplyTo); err != nil {
			return fieldError("InReplyTo", p.InReplyTo, err)
		}
	}
	for i, id := range p.References {
		if err := checkMessageID(id); err != nil {
			return fieldError(indexed("References", i), id, err)
		}
		p.size += len(id) + 4
	}
	p.references = p.References
	if len(p.references) == 0 && p.InReplyTo != "" {
		p.references = []string{p.InReplyTo}
	}
	return nil
}

// appendMessageIDs writes a field with one identifier on each line, as none can
// be folded and no line may be long.
func appendMessageIDs(dst []byte, name string, ids ...string) []byte {
	dst = append(append(dst, name...), ':')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, crlf...)
		}
		dst = append(append(append(dst, " <"...), bareID(id)...), '>')
	}
	return append(dst, crlf...)
}
