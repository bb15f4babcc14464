package bulk

import "time"

// retries are jobs in the order in which they are due.
type retries []*job

func (h retries) Len() int           { return len(h) }
func (h retries) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h retries) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *retries) Push(j any)        { *h = append(*h, j.(*job)) }
func (h *retries) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// backoff is how long to wait before the next try: the first time doubled with
// each one, up to 15 minutes. A greylisting server wants one to five.
func backoff(first time.Duration, tries int) time.Duration {
	return min(first<<min(tries-1, 10), 15*time.Minute)
}
