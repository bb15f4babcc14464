package oauth

// ParseCallback lets the tests fuzz what a browser brings.
func ParseCallback(query, state string) (code, refusal string, err error) {
	a, err := parseCallback(query, state)
	return a.code, a.refusal, err
}

// Shown is how a server's words are shown.
func Shown(text string, secrets ...string) string { return scrubber{secrets: secrets}.shown(text) }
