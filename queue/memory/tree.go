package memory

import (
	"math/rand/v2"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// tree orders records by a time and their ID. It is a treap (a search tree that
// random weights keep flat) whose nodes know how many are below them.
type tree struct{ root *node }

// node is a record's place in one tree at a time.
type node struct {
	at          int64 // milliseconds
	of          *record
	in          *tree
	left, right *node
	weight      uint32
	size        int32
}

// add puts a node that is in no tree into this one.
func (t *tree) add(n *node, r *record, at time.Time) {
	*n = node{at: at.UnixMilli(), of: r, in: t, weight: rand.Uint32(), size: 1}
	before, after := split(t.root, n.at, r.job.ID)
	t.root = merge(merge(before, n), after)
}

// remove takes a node out of the tree it is in, if it is in one.
func (n *node) remove() {
	if n.in != nil {
		n.in.root = without(n.in.root, n)
		*n = node{}
	}
}

// first is the record that comes first, or nil.
func (t *tree) first() *record {
	n := t.root
	if n == nil {
		return nil
	}
	for n.left != nil {
		n = n.left
	}
	return n.of
}

// head is the time of the first record; zero if there is none.
func (t *tree) head() time.Time {
	if r := t.first(); r != nil {
		return r.job.Due
	}
	return time.Time{}
}

// before counts the records that come before a time and ID.
func (t *tree) before(at time.Time, id queue.ID) (count int) {
	ms := at.UnixMilli()
	for n := t.root; n != nil; {
		if n.precedes(ms, id) {
			count += 1 + int(n.left.count())
			n = n.right
		} else {
			n = n.left
		}
	}
	return count
}

func (n *node) precedes(at int64, id queue.ID) bool {
	return n.at < at || n.at == at && n.of.job.ID < id
}

func (n *node) count() int32 {
	if n == nil {
		return 0
	}
	return n.size
}

func (n *node) recount() *node {
	n.size = 1 + n.left.count() + n.right.count()
	return n
}

// split parts the nodes below n into those before the place and the others.
func split(n *node, at int64, id queue.ID) (before, after *node) {
	if n == nil {
		return nil, nil
	}
	if n.precedes(at, id) {
		n.right, after = split(n.right, at, id)
		return n.recount(), after
	}
	before, n.left = split(n.left, at, id)
	return before, n.recount()
}

// merge joins two trees; all of a come before all of b.
func merge(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight > b.weight:
		a.right = merge(a.right, b)
		return a.recount()
	}
	b.left = merge(a, b.left)
	return b.recount()
}

// without is the tree below n without one of its nodes.
func without(n, out *node) *node {
	switch {
	case n == out:
		return merge(n.left, n.right)
	case n.precedes(out.at, out.of.job.ID):
		n.right = without(n.right, out)
	default:
		n.left = without(n.left, out)
	}
	return n.recount()
}
