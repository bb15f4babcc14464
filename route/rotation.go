package route

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
)

// MaxWeight is the most that a share can weigh.
const MaxWeight = 1_000_000

// Share is an account and its part of a rule's messages: its weight of the sum of
// all. An account of weight 0 gets none.
type Share struct {
	Account string `json:"account"`
	Weight  int    `json:"weight"`
}

// rotation gives turns to shares in smooth weighted round robin: each gets its
// exact part of as many turns as the weights add up to, well mixed.
type rotation struct {
	mu     sync.Mutex
	shares []Share
	owed   []int
	total  int
}

// beginnings is among how many turns the first one is drawn.
const beginnings = 10_000

// newRotation begins at a random turn, so that many processes that send one message
// each share them as well.
func newRotation(shares []Share) *rotation {
	r := &rotation{shares: shares, owed: make([]int, len(shares))}
	divisor := 0
	for _, s := range shares {
		divisor = gcd(divisor, s.Weight)
		r.total += s.Weight
	}
	for range rand.N(min(r.total/divisor, beginnings)) {
		r.next()
	}
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// next is the share whose turn it is.
func (r *rotation) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	best := -1
	for i, s := range r.shares {
		r.owed[i] += s.Weight
		if best < 0 || r.owed[i] > r.owed[best] { // never one of weight 0: somebody is owed more
			best = i
		}
	}
	r.owed[best] -= r.total
	return best
}

// keyed is the share of a key: always the same one, in every process, as long as it
// is there. (Weighted rendezvous hashing: a share that is added takes keys from the
// others, and moves none between them. One of weight 0 has the lowest score.)
func (r *rotation) keyed(key string) int {
	best, highest := -1, math.Inf(-1)
	for i, s := range r.shares {
		if score := -float64(s.Weight) / math.Log(fraction(key, s.Account)); best < 0 || score > highest {
			best, highest = i, score
		}
	}
	return best
}

// fraction is a number between 0 and 1, neither of them, by chance but always the
// same.
func fraction(key, account string) float64 {
	sum := sha256.Sum256([]byte(account + "\x00" + key))
	const bits = 53 // of a float64
	return (float64(binary.BigEndian.Uint64(sum[:])>>(64-bits)) + 0.5) / (1 << bits)
}
