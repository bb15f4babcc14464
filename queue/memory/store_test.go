package memory_test

import (
	"testing"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/queue/queuetest"
)

var harness = queuetest.Harness{Open: func(testing.TB, string) queue.Store { return memory.New() }}

func TestStore(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, harness)
}

func FuzzPut(f *testing.F) { queuetest.FuzzPut(f, harness) }

func BenchmarkStore(b *testing.B) { queuetest.Benchmark(b, harness) }
