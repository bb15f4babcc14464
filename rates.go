package kaizen

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseRates reads rates as "10/1s", "30/1m,10000 recipients/24h", "50MB/1h" or
// "none". A count alone is of messages; the other units are "recipients" and "B",
// "kB", "MB" and "GB", which are powers of 1000. Spans are as [time.ParseDuration]
// reads them, or "second", "minute", "hour" or "day".
func ParseRates(s string) ([]Rate, error) {
	rates := NoRate()
	if s == "none" {
		return rates, nil
	}
	for _, one := range strings.Split(s, ",") {
		r, ok := parseRate(strings.TrimSpace(one))
		if !ok {
			return nil, fmt.Errorf("%q is not a rate like 10/1s, 500 recipients/24h or 50MB/1h, or none", one)
		}
		rates = append(rates, r)
	}
	return rates, nil
}

func parseRate(s string) (r Rate, ok bool) {
	amount, per, _ := strings.Cut(s, "/")
	if r.Per, ok = parseSpan(per); !ok {
		return Rate{}, false
	}
	digits := strings.IndexFunc(amount, func(c rune) bool { return c < '0' || c > '9' })
	if digits < 0 {
		digits = len(amount)
	}
	n, err := strconv.Atoi(amount[:digits])
	unit, factor, known := parseUnit(strings.TrimSpace(amount[digits:]))
	if err != nil || !known || n <= 0 || n > maxCount/factor {
		return Rate{}, false
	}
	r.Count, r.Unit = n*factor, unit
	return r, true
}

// maxCount keeps sums of counts from overflowing.
const maxCount = math.MaxInt >> 10

func parseUnit(s string) (unit Unit, factor int, known bool) {
	switch strings.ToLower(s) {
	case "", "message", "messages":
		return Messages, 1, true
	case "recipient", "recipients":
		return Recipients, 1, true
	case "b", "octets":
		return Octets, 1, true
	case "kb":
		return Octets, 1000, true
	case "mb":
		return Octets, 1000_000, true
	case "gb":
		return Octets, 1000_000_000, true
	}
	return 0, 0, false
}

var spans = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

func parseSpan(s string) (time.Duration, bool) {
	if d, ok := spans[s]; ok {
		return d, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

// String returns the rate as [ParseRates] reads it.
func (r Rate) String() string {
	unit := map[Unit]string{Recipients: " recipients", Octets: "B"}[r.Unit]
	return fmt.Sprintf("%d%s/%s", r.Count, unit, shortSpan(r.Per))
}

func shortSpan(d time.Duration) string {
	for name, span := range spans {
		if d == span {
			return name
		}
	}
	return d.String()
}
