package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ProveRecord gives the leaf hash of record seq and the proof that it is in the
// tree of the checkpoint c; tlog.CheckRecord checks it. The leaf is
// tlog.RecordHash of the 32 bytes of Ref.Hash.
//
// Proofs are computed from the records: one takes a pass over the log.
func (l *Log) ProveRecord(c Checkpoint, seq uint64) (tlog.RecordProof, tlog.Hash, error) {
	if seq >= c.Size || c.Size > l.Size() {
		return nil, tlog.Hash{}, fmt.Errorf("prove record %d in a tree of %d: %w", seq, c.Size, ErrNotFound)
	}
	proof, err := tlog.ProveRecord(int64(c.Size), int64(seq), tlog.HashReaderFunc(l.storedHashes))
	if err != nil {
		return nil, tlog.Hash{}, fmt.Errorf("prove record %d: %w", seq, err)
	}
	r, err := l.Get(seq)
	return proof, leaf(r.Hash), err
}

// ProveConsistency gives the proof that the tree of size newer only added to the
// tree of size older, 0 < older <= newer; tlog.CheckTree checks it. It takes a
// pass over the log.
func (l *Log) ProveConsistency(older, newer uint64) (tlog.TreeProof, error) {
	if older == 0 || older > newer || newer > l.Size() {
		return nil, fmt.Errorf("prove consistency of %d with %d: %w", older, newer, ErrNotFound)
	}
	proof, err := tlog.ProveTree(int64(newer), int64(older), tlog.HashReaderFunc(l.storedHashes))
	if err != nil {
		return nil, fmt.Errorf("prove consistency: %w", err)
	}
	return proof, nil
}

// storedHashes rebuilds the hashes tlog asks for, by its numbering, and holds no
// others.
func (l *Log) storedHashes(indexes []int64) ([]tlog.Hash, error) {
	wanted := make(map[int64][]int, len(indexes))
	for i, index := range indexes {
		wanted[index] = append(wanted[index], i)
	}
	hashes := make([]tlog.Hash, len(indexes))
	var t tree
	var index int64
	for r, err := range l.All(0) {
		if err != nil {
			return nil, err
		}
		t.add(leaf(r.Hash), func(h tlog.Hash) {
			for _, i := range wanted[index] {
				hashes[i] = h
			}
			delete(wanted, index)
			index++
		})
		if len(wanted) == 0 {
			return hashes, nil
		}
	}
	return nil, fmt.Errorf("%d tree hashes lie beyond the log", len(wanted))
}
