package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/astrid-go/astrid/internal/durable"
)

// appender is a file that grows; tests make each of its steps fail.
type appender interface {
	Write([]byte) (int, error)
	WriteAt([]byte, int64) (int, error)
	Truncate(int64) error
	Sync() error
	Close() error
}

// opener opens an existing file of the log to write.
type opener func(root *os.Root, name string, flag int) (appender, error)

func osFiles(root *os.Root, name string, flag int) (appender, error) {
	f, err := root.OpenFile(name, flag, durable.Private)
	if err != nil {
		return nil, err
	}
	return dataFile{f}, nil
}

// writer is the state of the log's end. One goroutine uses it.
type writer struct {
	dir          *durable.Dir
	sign         signer
	files        opener
	segmentBytes int64

	file, head appender
	slot       int   // of the head, to be overwritten next
	failed     error // set by the first fault and never cleared

	segments  []segment
	prev      hash
	tree      tree
	published uint64 // records that readers may see
	signed    Checkpoint
	buffer    []byte
}

func (w *writer) unsigned() uint64 { return w.tree.size - w.signed.Size }

func (w *writer) segment() *segment { return &w.segments[len(w.segments)-1] }

// resume goes on where a scan ended.
func (w *writer) resume(s *scanner) error {
	w.segments, w.prev, w.tree, w.published, w.signed = s.segments, s.prev, s.tree, s.seq, s.last
	if len(w.segments) == 0 {
		if err := w.startSegment(); err != nil {
			return err
		}
	}
	if err := w.openSegment(); err != nil {
		return err
	}
	if s.torn != nil {
		if err := errors.Join(w.file.Truncate(s.torn.offset), w.file.Sync()); err != nil {
			return fmt.Errorf("cut torn tail: %w", err)
		}
	}
	if err := w.openHead(s.heads); err != nil {
		return err
	}
	if w.unsigned() == 0 {
		return nil
	}
	return w.checkpoint()
}

// openHead opens the head, makes it if the log was never finished starting, and
// brings it up to the last checkpoint in the segments.
func (w *writer) openHead(heads []head) (err error) {
	if len(heads) == 0 {
		slot, err := encodeSlot(w.signed.Note)
		if err == nil {
			err = w.dir.Create(headFile, bytes.Repeat(slot, headSlots), durable.Private)
		}
		if err != nil {
			return err
		}
	}
	if w.head, err = w.files(w.dir.Root(), headFile, os.O_WRONLY); err != nil {
		return fmt.Errorf("open head: %w", err)
	}
	if len(heads) < headSlots {
		return nil
	}
	newest := heads[0]
	if newest.at.before(heads[1].at) {
		newest = heads[1]
	}
	w.slot = 1 - newest.slot
	if newest.at == w.signed.at {
		return nil
	}
	if err := w.file.Sync(); err != nil { // the head never runs ahead
		return fmt.Errorf("sync segment: %w", err)
	}
	return w.writeHead()
}

// startSegment makes the next segment with its start frame, whole or not at all;
// the first one with a checkpoint of the empty log.
func (w *writer) startSegment() error {
	first := w.tree.size
	data, prev := appendFrame(nil, frame{
		kind: startFrame, seq: first, prev: w.prev, payload: append([]byte{formatVersion}, w.sign.Name()...),
	})
	if first == 0 {
		c, err := w.sign.sign(Checkpoint{Root: w.tree.root(), at: place{0, int64(len(data))}})
		if err != nil {
			return err
		}
		data, prev = appendFrame(data, frame{kind: checkpointFrame, prev: prev, payload: c.Note})
		w.signed = c
	}
	if err := w.dir.Create(segmentName(first), data, durable.Private); err != nil {
		return fmt.Errorf("start segment: %w", err)
	}
	w.prev = prev
	w.segments = append(w.segments, segment{first: first, end: int64(len(data))})
	return nil
}

func (w *writer) openSegment() (err error) {
	w.file, err = w.files(w.dir.Root(), segmentName(w.segment().first), os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	return nil
}

// fail makes err final.
func (w *writer) fail(err error) error {
	if w.failed == nil {
		w.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return w.failed
}

// write appends the records of a group and fills in their refs.
func (w *writer) write(group []*request) error {
	if w.failed != nil {
		return w.failed
	}
	if s := w.segment(); s.end >= w.segmentBytes && w.tree.size > s.first {
		if err := w.rotate(); err != nil {
			return w.fail(err)
		}
	}
	w.buffer = w.buffer[:0]
	s := w.segment()
	for _, r := range group {
		s.note(w.tree.size, s.end+int64(len(w.buffer)))
		r.ref.Seq = w.tree.size
		w.buffer, r.ref.Hash = appendFrame(w.buffer, frame{
			kind: recordFrame, seq: w.tree.size, prev: w.prev, payload: appendEntry(nil, r.entry),
		})
		w.prev = r.ref.Hash
		w.tree.add(leaf(w.prev), func(tlog.Hash) {})
	}
	if _, err := w.file.Write(w.buffer); err != nil {
		return w.fail(fmt.Errorf("write records: %w", err))
	}
	s.end += int64(len(w.buffer))
	w.published = w.tree.size
	return nil
}

// checkpoint signs all records, syncs them and then the head. It does nothing if
// all are signed.
func (w *writer) checkpoint() error {
	if w.failed != nil {
		return w.failed
	}
	if w.unsigned() == 0 {
		return nil
	}
	s := w.segment()
	c, err := w.sign.sign(Checkpoint{Size: w.tree.size, Root: w.tree.root(), at: place{s.first, s.end}})
	if err != nil {
		return w.fail(err)
	}
	data, prev := appendFrame(w.buffer[:0], frame{kind: checkpointFrame, seq: c.Size, prev: w.prev, payload: c.Note})
	if _, err := w.file.Write(data); err != nil {
		return w.fail(fmt.Errorf("write checkpoint: %w", err))
	}
	if err := w.file.Sync(); err != nil { // the commit point of Synced
		return w.fail(fmt.Errorf("sync segment: %w", err))
	}
	s.end += int64(len(data))
	w.prev, w.signed, w.buffer = prev, c, data
	if err := w.writeHead(); err != nil {
		return w.fail(err)
	}
	return nil
}

// writeHead puts the last checkpoint over the older slot.
func (w *writer) writeHead() error {
	slot, err := encodeSlot(w.signed.Note)
	if err != nil {
		return err
	}
	if _, err := w.head.WriteAt(slot, int64(w.slot*slotBytes)); err != nil {
		return fmt.Errorf("write head: %w", err)
	}
	if err := w.head.Sync(); err != nil {
		return fmt.Errorf("sync head: %w", err)
	}
	w.slot = 1 - w.slot
	return nil
}

// rotate signs and closes the segment and starts the next one.
func (w *writer) rotate() error {
	if err := w.checkpoint(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	w.file = nil
	if err := w.startSegment(); err != nil {
		return err
	}
	return w.openSegment()
}

func (w *writer) closeFiles() error {
	var err error
	for _, f := range []appender{w.file, w.head} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
