// Package queuetest defines a [queue.Store], as tests: what it promises in words,
// a store has kept when [Run] passes. A store adopts it in its own test file:
//
//	var harness = queuetest.Harness{
//		Open: func(tb testing.TB, dir string) queue.Store {
//			s, err := mystore.Open(dir)
//			if err != nil {
//				tb.Fatal(err)
//			}
//			return s
//		},
//		Durable: true,
//	}
//
//	func TestStore(t *testing.T)      { queuetest.Run(t, harness) }
//	func BenchmarkStore(b *testing.B) { queuetest.Benchmark(b, harness) }
//	func FuzzPut(f *testing.F)        { queuetest.FuzzPut(f, harness) }
package queuetest

import (
	"testing"

	"github.com/kaizenmail/kaizen/queue"
)

// Harness says how to come by a store. Only Open is needed.
type Harness struct {
	// Open opens the store of a folder, which is empty the first time. Where that
	// fails it ends the test. The tests close what they open.
	Open func(tb testing.TB, dir string) queue.Store
	// Durable: the folder, opened again, has the jobs of before.
	Durable bool
	// Shared: the folder can be open several times, as by several processes.
	Shared bool
	// Crash leaves a store as the end of its process would: without Close, and without
	// whatever keeps others from delivering. Nil: it is closed instead.
	Crash func(tb testing.TB, s queue.Store)
	// Damage spoils the stored body of a job of a store that is open, or its record.
	// Nil: damage is not tested.
	Damage func(tb testing.TB, dir string, id queue.ID)
}

// behaviour is one promise of a store.
type behaviour struct {
	promise string
	check   func(*fixture)
	large   bool // it takes many jobs, so it comes last
	needs   func(Harness) bool
}

// Run tests a store. Its subtests run in parallel.
func Run(t *testing.T, h Harness) {
	for _, b := range behaviours(h) {
		t.Run(b.promise, func(t *testing.T) {
			t.Parallel()
			b.check(newFixture(t, h))
		})
	}
}

// behaviours are those that the harness allows to test; large ones last.
func behaviours(h Harness) (small []behaviour) {
	var large []behaviour
	for _, group := range [][]behaviour{
		putting, keys, claiming, order, beginning, settling, controlling, repeating, lanes, listing, recovering,
		forgetting, bodies, clocks, contexts, sharing, damage, texts, races, models,
	} {
		for _, b := range group {
			switch {
			case b.needs != nil && !b.needs(h):
			case b.large:
				large = append(large, b)
			default:
				small = append(small, b)
			}
		}
	}
	return append(small, large...)
}

func durable(h Harness) bool { return h.Durable }
