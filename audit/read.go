package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sort"
)

// Get reads one record. ErrNotFound means that there is none with this number.
func (l *Log) Get(seq uint64) (Record, error) {
	for r, err := range l.All(seq) {
		return r, err
	}
	return Record{}, fmt.Errorf("record %d: %w", seq, ErrNotFound)
}

// Tail gives the last n records that filter accepts, oldest first. A nil filter
// accepts all. It reads backwards and holds n records.
func (l *Log) Tail(n int, filter func(Record) bool) ([]Record, error) {
	var found []Record
	_, segments := l.view()
	for _, s := range slices.Backward(segments) {
		for i, offset := range slices.Backward(s.marks) {
			if len(found) >= n {
				break
			}
			end := s.end
			if i+1 < len(s.marks) {
				end = s.marks[i+1]
			}
			block, err := l.block(s.first, offset, end, filter)
			if err != nil {
				return nil, err
			}
			slices.Reverse(block)
			found = append(found, block[:min(len(block), n-len(found))]...)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// block reads the records between two marks, at most markEvery.
func (l *Log) block(segment uint64, from, to int64, filter func(Record) bool) ([]Record, error) {
	var block []Record
	for r, err := range l.frames(segment, from, to) {
		if err != nil {
			return nil, err
		}
		if filter == nil || filter(r) {
			block = append(block, r)
		}
	}
	return block, nil
}

// All iterates over the records from number from on, as of the call, in order.
// After an error it stops.
func (l *Log) All(from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		size, segments := l.view()
		if from >= size {
			return
		}
		at := sort.Search(len(segments), func(i int) bool { return segments[i].first > from }) - 1
		for _, s := range segments[at:] {
			var offset int64
			if from > s.first {
				offset = s.marks[(from-s.first)/markEvery]
			}
			for r, err := range l.frames(s.first, offset, s.end) {
				if err == nil && r.Seq < from {
					continue
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

func (l *Log) view() (size uint64, segments []segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size, l.segments
}

// frames iterates over the records in a part of a segment.
func (l *Log) frames(segment uint64, from, to int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		name := segmentName(segment)
		f, err := l.root.Open(name)
		if errors.Is(err, fs.ErrClosed) {
			err = ErrClosed
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("open segment: %w", err))
			return
		}
		defer f.Close()
		b := bufio.NewReaderSize(io.NewSectionReader(f, from, to-from), maxFrame)
		for offset := from; offset < to; {
			decoded, err := nextFrame(b)
			if err != nil {
				yield(Record{}, fmt.Errorf("read %s at byte %d: %w", name, offset, err))
				return
			}
			offset += decoded.size()
			if decoded.kind != recordFrame {
				continue
			}
			entry, err := parseEntry(decoded.payload)
			if !yield(Record{Ref{decoded.seq, decoded.hash}, entry}, err) || err != nil {
				return
			}
		}
	}
}

// nextFrame reads a frame; its payload is valid until the next read.
func nextFrame(b *bufio.Reader) (frame, error) {
	raw, err := peekFrame(b)
	if err != nil {
		return frame{}, err
	}
	f, err := decodeFrame(raw)
	if err != nil {
		return frame{}, err
	}
	_, err = b.Discard(len(raw))
	return f, err
}
