package sendmail

import (
	"bytes"
	"strings"
	"sync"
	"unicode"
)

// maxOutput is how much of what the command prints is kept, maxShown how much is
// shown.
const maxOutput, maxShown = 4 << 10, 500

// output keeps the first octets of what the command prints on both streams.
type output struct {
	most int

	mu     sync.Mutex // the two streams may have a goroutine each
	buffer bytes.Buffer
}

// Write never fails, so that a command that says too much is not ended by it.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buffer.Write(p[:min(len(p), o.most-o.buffer.Len())])
	return len(p), nil
}

// words are what was printed, on one line.
func (o *output) words() string {
	o.mu.Lock()
	text := strings.ToValidUTF8(o.buffer.String(), "\uFFFD")
	o.mu.Unlock()
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	text = strings.Join(words, " ")
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return text
}

// said adds what was printed to a text.
func (o *output) said(text string) string {
	if words := o.words(); words != "" {
		return text + ": " + words
	}
	return text
}

func (o *output) hint() string {
	if words := o.words(); words != "" {
		return "it said: " + words
	}
	return ""
}
