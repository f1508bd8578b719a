package kv

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// Namespace is a handle on one part of a Store. Nothing it does can read or
// change another part. It holds no resource of its own.
type Namespace struct {
	store *Store
	name  string
	quota int64
}

// Namespace gives the handle named name, which follows the rules of keys. A
// namespace exists as soon as something is written to it.
func (s *Store) Namespace(name string) (*Namespace, error) {
	if err := checkKey(name); err != nil {
		return nil, fmt.Errorf("namespace name: %w", err)
	}
	return &Namespace{store: s, name: name}, nil
}

// WithQuota gives a handle on the same namespace whose writes fail with
// ErrQuota if keys and values would then take more than limit bytes. Writes
// that shrink always pass. A limit of 0 means none.
func (n *Namespace) WithQuota(limit int64) *Namespace {
	return &Namespace{store: n.store, name: n.name, quota: max(limit, 0)}
}

// Get returns a copy of the value, and whether the key exists.
func (n *Namespace) Get(ctx context.Context, key string) (value []byte, found bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	err = n.store.view(ctx, func(tx *bbolt.Tx) error {
		if v := get(n.bucket(tx), []byte(key)); v != nil {
			value, found = append([]byte{}, v...), true
		}
		return nil
	})
	return value, found, err
}

// Set stores value under key. It is durable when Set returns nil.
func (n *Namespace) Set(ctx context.Context, key string, value []byte) error {
	return n.Batch(ctx, Batch{Writes: []Write{{Key: key, Value: present(value)}}})
}

// Delete removes key and says whether it existed.
func (n *Namespace) Delete(ctx context.Context, key string) (existed bool, err error) {
	op, err := n.operation(Batch{Writes: []Write{{Key: key}}})
	if err != nil {
		return false, err
	}
	err = n.store.submit(ctx, op)
	return op.affected > 0, err
}

// CompareAndSwap stores value if key now holds expected, where nil means that
// key is absent. Otherwise it fails with ErrMismatch.
func (n *Namespace) CompareAndSwap(ctx context.Context, key string, expected, value []byte) error {
	return n.Batch(ctx, Batch{
		Conditions: []Write{{Key: key, Value: expected}},
		Writes:     []Write{{Key: key, Value: present(value)}},
	})
}

// ClearPrefix removes all keys with the prefix at once and says how many there
// were. The empty prefix clears the namespace.
func (n *Namespace) ClearPrefix(ctx context.Context, prefix string) (int, error) {
	if err := checkPrefix(prefix); err != nil {
		return 0, err
	}
	op := &operation{namespace: n.name, clear: &prefix}
	err := n.store.submit(ctx, op)
	return op.affected, err
}

// Write is a key with its new value, or, as a condition, with the value it
// must have. A nil Value means that the key is absent; an empty one does not.
type Write struct {
	Key   string
	Value []byte
}

// Batch is a change that happens wholly or not at all: if each condition holds,
// every write is made. A key may be written once.
type Batch struct {
	Conditions []Write
	Writes     []Write
}

// Batch makes the change. ErrMismatch means that a condition did not hold,
// ErrTooLarge that it is over MaxBatchOps or MaxBatchBytes. The values must not
// be changed until it returns.
func (n *Namespace) Batch(ctx context.Context, b Batch) error {
	op, err := n.operation(b)
	if err != nil {
		return err
	}
	return n.store.submit(ctx, op)
}

func (n *Namespace) operation(b Batch) (*operation, error) {
	if count := len(b.Conditions) + len(b.Writes); count > MaxBatchOps {
		return nil, fmt.Errorf("%w: batch of %d operations, at most %d", ErrTooLarge, count, MaxBatchOps)
	}
	op := &operation{namespace: n.name, quota: n.quota}
	var err error
	if op.conditions, err = op.take(b.Conditions); err != nil {
		return nil, err
	}
	if op.writes, err = op.take(b.Writes); err != nil {
		return nil, err
	}
	if op.size > MaxBatchBytes {
		return nil, fmt.Errorf("%w: batch of %d bytes, at most %d", ErrTooLarge, op.size, MaxBatchBytes)
	}
	return op, nil
}

// take checks writes and adds their size to op. Duplicates are refused, for
// which of the two counts would depend on the order.
func (op *operation) take(writes []Write) ([]change, error) {
	changes := make([]change, len(writes))
	seen := make(map[string]bool, len(writes))
	for i, w := range writes {
		if err := checkKey(w.Key); err != nil {
			return nil, err
		}
		if err := checkValue(w.Value); err != nil {
			return nil, fmt.Errorf("key %q: %w", w.Key, err)
		}
		if seen[w.Key] {
			return nil, fmt.Errorf("%w: %q is twice in the batch", ErrInvalidKey, w.Key)
		}
		seen[w.Key] = true
		changes[i] = change{[]byte(w.Key), w.Value}
		op.size += len(w.Key) + len(w.Value)
	}
	return changes, nil
}

// Page is a part of a namespace's keys, in byte order.
type Page struct {
	Keys []string
	// Next is the cursor of the page after this one; empty when there is none.
	Next string
}

// List returns the keys with the prefix that come after cursor, which is empty
// for the first page and Page.Next later. A limit of 0 means MaxPage; more is
// ErrTooLarge. Each page is one consistent view; a key that is there through a
// whole listing is in it exactly once.
func (n *Namespace) List(ctx context.Context, prefix, cursor string, limit int) (Page, error) {
	if err := checkPrefix(prefix); err != nil {
		return Page{}, err
	}
	if err := checkPrefix(cursor); err != nil {
		return Page{}, fmt.Errorf("cursor: %w", err)
	}
	if limit < 0 || limit > MaxPage {
		return Page{}, fmt.Errorf("%w: page of %d keys, at most %d", ErrTooLarge, limit, MaxPage)
	}
	if limit == 0 {
		limit = MaxPage
	}
	var page Page
	err := n.store.view(ctx, func(tx *bbolt.Tx) error {
		if b := n.bucket(tx); b != nil {
			page = readPage(b.Cursor(), prefix, cursor, limit)
		}
		return nil
	})
	return page, err
}

func readPage(c *bbolt.Cursor, prefix, after string, limit int) Page {
	var page Page
	k, _ := c.Seek([]byte(max(prefix, after)))
	if k != nil && after != "" && string(k) == after {
		k, _ = c.Next()
	}
	for ; k != nil && bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
		if len(page.Keys) == limit {
			page.Next = page.Keys[limit-1]
			return page
		}
		page.Keys = append(page.Keys, string(k))
	}
	return page
}

// Used is the bytes of keys and values in the namespace.
func (n *Namespace) Used(ctx context.Context) (int64, error) {
	var used int64
	err := n.store.view(ctx, func(tx *bbolt.Tx) error {
		used = usedBytes(tx, n.name)
		return nil
	})
	return used, err
}

func (n *Namespace) bucket(tx *bbolt.Tx) *bbolt.Bucket {
	return tx.Bucket(dataBucket).Bucket([]byte(n.name))
}

// present makes a value that is not nil, which would mean absent.
func present(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
