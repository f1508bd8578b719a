package audit

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of the Merkle tree: the roots of its complete subtrees,
// largest first. It grows with the logarithm of the log.
type tree struct {
	size  uint64
	roots []tlog.Hash
}

// leaf is the tree's hash of a record: what tlog calls its record hash, over
// the 32 bytes of the frame's BLAKE3.
func leaf(h hash) tlog.Hash { return tlog.RecordHash(h[:]) }

// add appends a leaf and passes on each hash that becomes final, in the order
// in which tlog numbers stored hashes.
func (t *tree) add(h tlog.Hash, stored func(tlog.Hash)) {
	stored(h)
	for range bits.TrailingZeros64(^t.size) {
		last := len(t.roots) - 1
		h = tlog.NodeHash(t.roots[last], h)
		t.roots = t.roots[:last]
		stored(h)
	}
	t.roots = append(t.roots, h)
	t.size++
}

// root is the tree head, equal to tlog.TreeHash.
func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		h, _ := tlog.TreeHash(0, nil) // reads nothing for an empty tree
		return h
	}
	h := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.roots[i], h)
	}
	return h
}
