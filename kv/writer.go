package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// maxGroup bounds the operations, and maxGroupBytes the data, of one commit, so
// that the first of a group does not wait for a crowd.
const (
	maxGroup      = 1024
	maxGroupBytes = 32 << 20
)

// reserve is how far the file may pass Config.MaxBytes to free space: twice the
// step in which bbolt grows a file.
const reserve = 32 << 20

// operation is one all-or-nothing change of one namespace.
type operation struct {
	namespace  string
	quota      int64 // bytes; 0 means none
	conditions []change
	clear      *string // prefix to delete, before writes
	writes     []change
	size       int // bytes of keys and values
	done       chan error

	// Set by the writer.
	affected int   // keys deleted
	grows    bool  // the namespace holds more bytes afterwards
	refused  error // by a condition or a limit
}

// change is a key and its value; a nil value means absent.
type change struct {
	key, value []byte
}

// submit hands op to the writer and waits for its outcome.
func (s *Store) submit(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op.done = make(chan error, 1)
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	select {
	case s.requests <- op:
		return <-op.done
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the writer goroutine.
func (s *Store) write() {
	for {
		select {
		case op := <-s.requests:
			s.commit(s.gather(op))
		case <-s.closing:
			return
		}
	}
}

// gather takes what waits by now, without waiting.
func (s *Store) gather(first *operation) []*operation {
	group, size := []*operation{first}, first.size
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case op := <-s.requests:
			group, size = append(group, op), size+op.size
		default:
			return group
		}
	}
	return group
}

// commit applies a group and answers each operation. If the group does not fit
// the store, its operations are tried one by one, so that those which fit, and
// those which free space, succeed.
func (s *Store) commit(group []*operation) {
	err := s.transact(group)
	for _, op := range group {
		own := err
		if errors.Is(err, berrors.ErrMaxSizeReached) {
			own = s.commitAlone(op)
		}
		if own != nil {
			op.refused = fmt.Errorf("commit to store: %w", own)
		}
		if op.refused != nil {
			op.affected = 0
		}
		op.done <- op.refused
	}
}

// commitAlone commits one operation in a store that is full. What does not grow
// the namespace may use the reserve: deleting, too, writes new pages first.
func (s *Store) commitAlone(op *operation) error {
	err := s.transact([]*operation{op})
	if errors.Is(err, berrors.ErrMaxSizeReached) && !op.grows {
		s.db.MaxSize += reserve // only the writer goroutine uses it after Open
		err = s.transact([]*operation{op})
		s.db.MaxSize -= reserve
	}
	if errors.Is(err, berrors.ErrMaxSizeReached) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// transact applies a group in one transaction. An operation that is refused has
// changed nothing, so the others go on; an error of the store itself undoes the
// transaction.
func (s *Store) transact(group []*operation) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, op := range group {
			plan, err := op.check(tx)
			if op.refused = err; err != nil {
				continue
			}
			if err := plan.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// plan is an operation that was checked against the state it will change.
type plan struct {
	op      *operation
	used    int64 // bytes of the namespace afterwards
	deletes [][]byte
}

// check decides op without changing anything.
func (op *operation) check(tx *bbolt.Tx) (plan, error) {
	b := tx.Bucket(dataBucket).Bucket([]byte(op.namespace))
	for _, c := range op.conditions {
		if found := get(b, c.key); (found == nil) != (c.value == nil) || !bytes.Equal(found, c.value) {
			return plan{}, fmt.Errorf("key %q: %w", c.key, ErrMismatch)
		}
	}
	before := usedBytes(tx, op.namespace)
	p := plan{op: op, used: before}
	if op.clear != nil && b != nil {
		prefix := []byte(*op.clear)
		cursor := b.Cursor()
		for k, v := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
			p.deletes = append(p.deletes, bytes.Clone(k))
			p.used -= weight(k, v)
		}
	}
	for _, w := range op.writes {
		found := get(b, w.key)
		if found != nil {
			p.used -= weight(w.key, found)
		}
		if w.value != nil {
			p.used += weight(w.key, w.value)
		} else if found != nil {
			p.deletes = append(p.deletes, w.key)
		}
	}
	op.grows = p.used > before
	if op.quota > 0 && p.used > op.quota && op.grows {
		return plan{}, fmt.Errorf("%w: %d of %d bytes", ErrQuota, p.used, op.quota)
	}
	return p, nil
}

func (p plan) apply(tx *bbolt.Tx) error {
	p.op.affected = len(p.deletes)
	b, err := tx.Bucket(dataBucket).CreateBucketIfNotExists([]byte(p.op.namespace))
	if err != nil {
		return err
	}
	for _, key := range p.deletes {
		if err := b.Delete(key); err != nil {
			return err
		}
	}
	for _, w := range p.op.writes {
		if w.value == nil {
			continue
		}
		if err := b.Put(w.key, w.value); err != nil {
			return err
		}
	}
	used := binary.BigEndian.AppendUint64(nil, uint64(p.used))
	return tx.Bucket(usedBucket).Put([]byte(p.op.namespace), used)
}

// get is nil for an absent key and never nil for an empty value.
func get(b *bbolt.Bucket, key []byte) []byte {
	if b == nil {
		return nil
	}
	return b.Get(key)
}

func weight(key, value []byte) int64 { return int64(len(key) + len(value)) }

func usedBytes(tx *bbolt.Tx, namespace string) int64 {
	if v := tx.Bucket(usedBucket).Get([]byte(namespace)); len(v) == 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}
