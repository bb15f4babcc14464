package kaizenprom_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenprom"
	"github.com/kaizenmail/kaizen/queue/memory"
)

// docs/metrics.md has a row for every metric, and speaks of no other.
func TestDocumented(t *testing.T) {
	t.Parallel()
	octets, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	descriptions := make(chan *prometheus.Desc, 100)
	kaizenprom.New(client, kaizenprom.Options{}).Describe(descriptions)
	kaizenprom.NewQueue(memory.New(), kaizenprom.Options{}).Describe(descriptions)
	close(descriptions)
	known := make(map[string]bool)
	for d := range descriptions {
		name := regexp.MustCompile(`kaizen_\w+`).FindString(d.String())
		known[name] = true
		if !strings.Contains(string(octets), "| `"+name+"` |") {
			t.Errorf("%s has no row", name)
		}
	}
	for _, name := range regexp.MustCompile(`kaizen_\w+`).FindAllString(string(octets), -1) {
		if !known[strings.TrimSuffix(name, "_bucket")] {
			t.Errorf("%s is no metric", name)
		}
	}
}
