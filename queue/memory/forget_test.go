package memory_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// put puts n jobs, due at times that are chosen for each.
func put(t *testing.T, s *memory.Store, n int, due func(int) time.Time) []queue.ID {
	t.Helper()
	body, jobs := queue.Octets([]byte("x")), make([]queue.Submission, n)
	for i := range jobs {
		jobs[i] = queue.Submission{Job: queue.Job{Lane: "a", Recipients: queue.To(smtp.To("one@example.org")), Due: due(i)}, Body: body}
	}
	receipts, err := s.Put(t.Context(), noon, jobs)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]queue.ID, n)
	for i := range receipts {
		ids[i] = receipts[i].ID
	}
	return ids
}

func cancel(t *testing.T, s *memory.Store, ids []queue.ID) {
	t.Helper()
	done, err := s.Control(t.Context(), noon, queue.Command{Action: queue.DoCancel, IDs: ids})
	if err != nil || done.Changed != len(ids) {
		t.Fatalf("cancelled %d of %d: %v", done.Changed, len(ids), err)
	}
}

// Jobs that are forgotten leave no gaps in lists, nor room in memory.
func TestForgottenJobsAreLeftOut(t *testing.T) {
	t.Parallel()
	s := memory.New()
	var kept []queue.ID
	for range 8 {
		ids := put(t, s, 1000, func(int) time.Time { return noon })
		kept = append(kept, ids[500])
		cancel(t, s, slices.Delete(ids, 500, 501))
		for {
			purged, err := s.Purge(t.Context(), noon.Add(time.Hour), queue.Retention{Failed: time.Minute}, 300)
			if err != nil {
				t.Fatal(err)
			}
			if purged.Jobs == 0 {
				break
			}
		}
	}
	for _, reverse := range []bool{false, true} {
		var got []queue.ID
		for f := (queue.Filter{Limit: 3, Reverse: reverse}); ; {
			page, err := s.List(t.Context(), noon, f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for i := range page {
				got = append(got, page[i].ID)
			}
			f.After = got[len(got)-1]
		}
		if reverse {
			slices.Reverse(got)
		}
		if !slices.Equal(got, kept) {
			t.Fatalf("listed %v, want %v", got, kept)
		}
	}
}

// Thousands of jobs in any order are kept in order, whatever is taken out of it.
func TestOrderOfMany(t *testing.T) {
	t.Parallel()
	s, at := memory.New(), map[queue.ID]time.Time{}
	ids := put(t, s, 4000, func(int) time.Time { return noon.Add(time.Duration(rand.IntN(900)) * time.Second) })
	for _, id := range ids {
		d, err := s.Get(t.Context(), noon, id)
		if err != nil {
			t.Fatal(err)
		}
		at[id] = d.Due
	}
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	cancel(t, s, ids[:2000])
	ids = ids[2000:]
	slices.SortFunc(ids, func(a, b queue.ID) int { return cmp.Or(at[a].Compare(at[b]), cmp.Compare(a, b)) })
	for i := 0; i < len(ids); i += 97 {
		if d, err := s.Get(t.Context(), noon, ids[i]); err != nil || d.Ahead != i {
			t.Fatalf("%d jobs are ahead of the one in place %d: %v", d.Ahead, i, err)
		}
	}
	claimed, err := s.Claim(t.Context(), noon.Add(time.Hour), []queue.Want{{Lane: "a", Count: 5000}})
	if err != nil || len(claimed[0].Claims) != len(ids) {
		t.Fatalf("claimed %d of %d: %v", len(claimed[0].Claims), len(ids), err)
	}
	for i, c := range claimed[0].Claims {
		if c.Job.ID != ids[i] {
			t.Fatalf("claim %d is of job %s, want %s", i, c.Job.ID, ids[i])
		}
	}
}
