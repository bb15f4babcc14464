package kaizenprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kaizenmail/kaizen"
)

// health is that of all accounts of one label: how many are in each state, and
// not healthy for each cause.
type health struct {
	states            map[kaizen.Condition]int
	servers           map[string]kaizen.ServerHealth
	causes            map[kaizen.Cause]int
	expires, accepted time.Time // the first certificate to end, the last message
}

func (f *health) addHealth(h *kaizen.Health) {
	f.states[h.Condition]++
	f.causes[h.Cause]++
	if end := h.Certificate; !end.IsZero() && (f.expires.IsZero() || end.Before(f.expires)) {
		f.expires = end
	}
	if h.LastAccepted.After(f.accepted) {
		f.accepted = h.LastAccepted
	}
	for _, s := range h.Servers {
		if f.servers == nil {
			f.servers = make(map[string]kaizen.ServerHealth)
		}
		f.servers[s.Server] = s
	}
}

// causes are all that keep an account from being healthy.
var causes = [...]kaizen.Cause{kaizen.CauseLogin, kaizen.CauseOutage, kaizen.CauseQuota,
	kaizen.CauseTrouble, kaizen.CauseFailover, kaizen.CauseThrottled, kaizen.CauseConnections}

func (f *health) collectHealth(account string, to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, append([]string{account}, labels...)...)
	}
	for state := kaizen.Healthy; state <= kaizen.Down; state++ {
		gauge(accountHealth, float64(f.states[state]), state.String())
	}
	for _, cause := range causes {
		gauge(accountUnhealthy, float64(f.causes[cause]), string(cause))
	}
	for server, s := range f.servers {
		gauge(serverUp, map[kaizen.Condition]float64{kaizen.Healthy: 1}[s.Condition], server)
		gauge(serverConnections, float64(s.Connections), server)
	}
	if !f.expires.IsZero() {
		gauge(certificateExpires, float64(f.expires.Unix()))
	}
	if !f.accepted.IsZero() {
		gauge(lastAccepted, float64(f.accepted.UnixMilli())/1000)
	}
}
