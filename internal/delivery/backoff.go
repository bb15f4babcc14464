package delivery

import (
	"math/rand/v2"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// Backoff is the default of [Config.Backoff]; its last step repeats.
var Backoff = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour}

// throttlePause is the first pause of a message that came too fast: its lane goes
// slower by itself, unless the server meant the recipient.
const throttlePause = 5 * time.Second

// brokenPause is the first pause after a connection broke under a message, which
// need not have been the message's fault.
const brokenPause = 2 * time.Second

// pause is how long to wait after the given number of tries, at least one, if the
// server answered this.
func pause(steps []time.Duration, tries int, class smtp.Class, reply smtp.Reply) time.Duration {
	var d time.Duration
	if len(steps) > 0 {
		d = steps[min(tries, len(steps))-1]
	}
	switch class {
	case smtp.ClassConnect, smtp.ClassTimeout:
		d = min(d, brokenPause<<min(tries-1, 10))
	case smtp.ClassRate:
		d = min(d, throttlePause<<min(tries-1, 10))
	case smtp.ClassQuota:
		d = 0 // the lane waits
	case smtp.ClassConnectionLimit, smtp.ClassSessionLimit:
		// The lane does what the server asks for; one that says so each time, or of
		// one recipient only, is not to be asked without end.
		d = min(d, againSoon(tries))
	}
	d = jitter(d)
	if hint, said := limit.RetryAfter(reply.Text); said && reply.Temporary() {
		d = max(d, hint+rand.N(hint/10+1))
	}
	return d
}

// againSoon is no pause after the first try, and a growing one after others.
func againSoon(tries int) time.Duration {
	if tries <= 1 {
		return 0
	}
	return brokenPause << min(tries-2, 10)
}

// jitter spreads what failed together: 10 % more or less.
func jitter(d time.Duration) time.Duration { return d*9/10 + rand.N(d/5+1) }
