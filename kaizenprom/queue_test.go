package kaizenprom_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kaizenmail/kaizen/kaizenprom"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	store := memory.New()
	now := time.Unix(1_700_000_000, 0)
	for _, lane := range []string{"ses", "ann@ses", "other"} {
		_, err := store.Put(t.Context(), now, []queue.Submission{{Job: queue.Job{Lane: lane, Recipients: queue.To(smtp.To("bob@example.net"))},
			Body: queue.Octets([]byte("Subject: x\r\n\r\n"))}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Pause(t.Context(), now, "other", ""); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(kaizenprom.NewQueue(store, kaizenprom.Options{}))
	const want = `# HELP kaizen_queue_delivering Whether some process delivers from the queue: 1 or 0.
# TYPE kaizen_queue_delivering gauge
kaizen_queue_delivering 0
# HELP kaizen_queue_oldest_due_timestamp_seconds Since when the job of the queue is due that is due longest; missing if none is.
# TYPE kaizen_queue_oldest_due_timestamp_seconds gauge
kaizen_queue_oldest_due_timestamp_seconds{account="other"} 1.7e+09
kaizen_queue_oldest_due_timestamp_seconds{account="ses"} 1.7e+09
# HELP kaizen_queue_paused Whether the account is paused in the queue: 1 or 0.
# TYPE kaizen_queue_paused gauge
kaizen_queue_paused{account="other"} 1
kaizen_queue_paused{account="ses"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "kaizen_queue_delivering", "kaizen_queue_oldest_due_timestamp_seconds", "kaizen_queue_paused"); err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	queued := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "kaizen_queue_jobs" && m.Label[1].GetValue() == "queued" {
				queued[m.Label[0].GetValue()] = m.Gauge.GetValue()
			}
		}
	}
	if queued["ses"] != 2 || queued["other"] != 1 {
		t.Errorf("queued are %v", queued)
	}
}
