package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// SegmentPattern matches the names of segment files. A segment is named after
// the sequence number of its first record.
const SegmentPattern = "*" + segmentSuffix

const (
	segmentSuffix = ".seg"
	headFile      = "head"

	// markEvery is how many records lie between two remembered offsets: 8 bytes
	// of memory for each 64 records, against decoding 64 to read one.
	markEvery = 64

	// maxProblems bounds a report on a hostile directory.
	maxProblems = 100

	formatVersion = 1
)

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// segment is what readers need to know of one segment file.
type segment struct {
	first uint64
	end   int64   // bytes of whole frames
	marks []int64 // offset of record first + i*markEvery
}

func (s *segment) note(seq uint64, offset int64) {
	if (seq-s.first)%markEvery == 0 {
		s.marks = append(s.marks, offset)
	}
}

// Problem is one thing that does not fit. Seq is the record it was found at.
type Problem struct {
	Seq    uint64
	File   string
	Offset int64
	Reason string
}

// String says where and what.
func (p Problem) String() string {
	return fmt.Sprintf("record %d (%s at byte %d): %s", p.Seq, p.File, p.Offset, p.Reason)
}

// torn is an unfinished tail: the bytes of the last segment after offset.
type torn struct {
	file   string
	offset int64
	bytes  int64
}

// scanner reads a whole log and checks it. Open and Verify both use it, so that
// what one accepts the other does.
type scanner struct {
	root    *os.Root
	trusted []ed25519.PublicKey
	origin  string // empty until the first start frame says it

	heads    []head
	segments []segment
	problems []Problem
	torn     *torn

	seq       uint64 // of the next record
	prev      hash   // of the last frame
	linked    bool   // prev is known
	treeWhole bool   // tree holds every record so far
	tree      tree
	last      Checkpoint // the last good one in the segments
	lateSigns int        // checkpoints after the newest head
}

func newScanner(root *os.Root, origin string, trusted []ed25519.PublicKey) *scanner {
	return &scanner{root: root, origin: origin, trusted: trusted, linked: true, treeWhole: true}
}

func (s *scanner) problem(file string, offset int64, format string, args ...any) {
	s.treeWhole = false
	if len(s.problems) < maxProblems {
		s.problems = append(s.problems, Problem{s.seq, file, offset, fmt.Sprintf(format, args...)})
	}
}

// unsigned counts the records no checkpoint covers.
func (s *scanner) unsigned() uint64 { return s.seq - min(s.seq, s.last.Size) }

// scan fills the scanner. Its error says that the log could not be read, not
// that it is wrong.
func (s *scanner) scan(ctx context.Context) error {
	firsts, err := s.list()
	if err != nil {
		return err
	}
	missing, err := s.readHeads()
	if err != nil {
		return err
	}
	for i, first := range firsts {
		if first != s.seq {
			s.problem(segmentName(first), 0, "records %d to %d are missing before this segment", s.seq, first)
			s.seq, s.linked = first, false
		}
		if err := s.readSegment(ctx, first, i == len(firsts)-1); err != nil {
			return err
		}
	}
	s.judgeHeads(missing)
	return nil
}

// list gives the first sequence numbers of the segments in order.
func (s *scanner) list() ([]uint64, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var firsts []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(name, 10, 63)
		if err != nil || segmentName(first) != e.Name() || !e.Type().IsRegular() {
			s.problem(path.Base(e.Name()), 0, "not a segment of this log")
			continue
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	return firsts, nil
}

func (s *scanner) readSegment(ctx context.Context, first uint64, isLast bool) error {
	f, err := s.root.Open(segmentName(first))
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	s.segments = append(s.segments, segment{first: first})
	b := bufio.NewReaderSize(f, 2*maxFrame)
	for offset := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := peekFrame(b)
		if err != nil {
			return fmt.Errorf("read segment %s: %w", segmentName(first), err)
		}
		if len(raw) == 0 {
			if offset == 0 {
				s.problem(segmentName(first), 0, "segment is empty")
			}
			s.segment().end = offset
			return nil
		}
		decoded, err := decodeFrame(raw)
		if err == nil {
			s.accept(decoded, place{first, offset})
		} else if next, err := s.damaged(b, raw, err, place{first, offset}, isLast); err != nil || !next {
			s.segment().end = offset
			return err
		}
		offset += int64(len(raw))
		if _, err := b.Discard(len(raw)); err != nil {
			return fmt.Errorf("read segment %s: %w", segmentName(first), err)
		}
	}
}

func (s *scanner) segment() *segment { return &s.segments[len(s.segments)-1] }

// peekFrame gives the bytes of the next frame, fewer at the end of the file.
// With a length over the limit it gives the four bytes of the length.
func peekFrame(b *bufio.Reader) ([]byte, error) {
	raw, err := b.Peek(4)
	if err == nil {
		if n := int64(be32(raw)); n <= maxPayload {
			raw, err = b.Peek(frameMin + int(n))
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return raw, err
}

// damaged judges bytes that are no frame. It reports whether reading can go on
// behind them.
func (s *scanner) damaged(b *bufio.Reader, raw []byte, reason error, at place, isLast bool) (next bool, err error) {
	file := segmentName(at.segment)
	whole := !errors.Is(reason, errIncomplete) && be32(raw) <= maxPayload
	if isLast && len(s.problems) == 0 && at.offset > 0 && s.afterHeads(at) {
		rest, zero, err := measure(b)
		if err != nil {
			return false, fmt.Errorf("read tail of segment %s: %w", file, err)
		}
		if errors.Is(reason, errIncomplete) || zero {
			s.torn = &torn{file, at.offset, rest}
			return false, nil
		}
		s.problem(file, at.offset, "%v", reason)
		return false, nil
	}
	s.problem(file, at.offset, "%v", reason)
	if !whole {
		s.linked = false
		return false, nil
	}
	s.prev = hash(raw[len(raw)-frameTail : len(raw)-4])
	if frameKind(raw[4]) == recordFrame {
		s.seq++
	}
	return true, nil
}

// measure counts the bytes that are left and says whether all are zero.
func measure(r io.Reader) (n int64, zero bool, err error) {
	buffer := make([]byte, 64<<10)
	for zero = true; ; {
		got, err := r.Read(buffer)
		n += int64(got)
		zero = zero && len(bytes.Trim(buffer[:got], "\x00")) == 0
		if errors.Is(err, io.EOF) {
			return n, zero, nil
		}
		if err != nil {
			return n, zero, err
		}
	}
}

// accept checks a whole frame against what came before it.
func (s *scanner) accept(f frame, at place) {
	file := segmentName(at.segment)
	switch {
	case f.seq != s.seq:
		s.problem(file, at.offset, "sequence number is %d, expected %d: a record was removed, repeated or moved", f.seq, s.seq)
		s.seq = f.seq
	case s.linked && f.prev != s.prev:
		s.problem(file, at.offset, "does not link to the frame before it")
	case (f.kind == startFrame) != (at.offset == 0):
		s.problem(file, at.offset, "a start frame must be first in its segment, and nothing else")
	}
	s.prev, s.linked = f.hash, true
	switch f.kind {
	case startFrame:
		s.acceptStart(f, at)
	case recordFrame:
		if _, err := parseEntry(f.payload); err != nil {
			s.problem(file, at.offset, "%v", err)
		}
		s.segment().note(s.seq, at.offset)
		s.tree.add(leaf(f.hash), func(tlog.Hash) {})
		s.seq++
	case checkpointFrame:
		s.acceptCheckpoint(f, at)
	}
}
