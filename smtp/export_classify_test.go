package smtp

import "strings"

// What the black-box tests of the tables may reach.

// DecidingRule is the place of the rule that decides, or -1.
func DecidingRule(phase Phase, r Reply) int {
	text := strings.ToLower(r.Text)
	for i := range rules {
		if rules[i].matches(phase, r, text) {
			return i
		}
	}
	return -1
}

func RuleCount() int { return len(rules) }

var (
	ParseCapabilities    = parseCapabilities
	QueueID              = queueID
	HintFor              = hintFor
	SynchronizationError = synchronizationError
)
