package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
)

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func (s *scanner) acceptStart(f frame, at place) {
	file := segmentName(at.segment)
	if len(f.payload) == 0 || f.payload[0] != formatVersion {
		s.problem(file, at.offset, "unknown segment format; this program reads %d", formatVersion)
		return
	}
	origin := string(f.payload[1:])
	if s.origin == "" {
		s.origin = origin
	}
	if s.origin != origin {
		s.problem(file, at.offset, "segment belongs to the log %q, not %q", origin, s.origin)
	}
}

func (s *scanner) acceptCheckpoint(f frame, at place) {
	file := segmentName(at.segment)
	c, err := openCheckpoint(f.payload, s.trusted)
	switch {
	case err != nil:
		s.problem(file, at.offset, "%v", err)
		return
	case c.Origin != s.origin:
		s.problem(file, at.offset, "checkpoint is of the log %q, not %q", c.Origin, s.origin)
		return
	case c.at != at || c.Size != s.seq:
		s.problem(file, at.offset, "checkpoint was made for another place or size")
		return
	case s.treeWhole && c.Root != s.tree.root():
		s.problem(file, at.offset, "checkpoint is for other records than the %d before it", c.Size)
		return
	}
	s.last = c
	if s.afterHeads(at) {
		s.lateSigns++
	}
	for i := range s.heads {
		if s.heads[i].at == at && bytes.Equal(s.heads[i].Note, c.Note) {
			s.heads[i].found = true
		}
	}
}

// The head is two slots of one sector each, which a disk writes whole. The
// older one is overwritten in turn: length u16, note, zeros.
const (
	slotBytes = 512
	headSlots = 2
)

type head struct {
	Checkpoint
	slot  int
	found bool // its frame is in the segments
}

func encodeSlot(note []byte) ([]byte, error) {
	if len(note) > slotBytes-2 {
		return nil, fmt.Errorf("checkpoint of %d bytes does not fit the head", len(note))
	}
	b := make([]byte, slotBytes)
	binary.BigEndian.PutUint16(b, uint16(len(note)))
	copy(b[2:], note)
	return b, nil
}

// readHeads reads the head and says whether the file is missing.
func (s *scanner) readHeads() (missing bool, err error) {
	data, err := readAtMost(s.root, headFile, headSlots*slotBytes+1)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read head: %w", err)
	}
	if len(data) != headSlots*slotBytes {
		s.problem(headFile, 0, "the checkpoint file has not %d bytes", headSlots*slotBytes)
		return false, nil
	}
	for slot := range headSlots {
		raw := data[slot*slotBytes : (slot+1)*slotBytes]
		n := int(binary.BigEndian.Uint16(raw))
		if n > slotBytes-2 || len(bytes.Trim(raw[2+n:], "\x00")) > 0 {
			s.problem(headFile, int64(slot*slotBytes), "slot %d is damaged", slot)
			continue
		}
		c, err := openCheckpoint(raw[2:2+n], s.trusted)
		if err != nil {
			s.problem(headFile, int64(slot*slotBytes), "slot %d: %v", slot, err)
			continue
		}
		s.heads = append(s.heads, head{Checkpoint: c, slot: slot})
	}
	return false, nil
}

// afterHeads reports whether at lies behind every checkpoint in the head.
func (s *scanner) afterHeads(at place) bool {
	for _, h := range s.heads {
		if !h.at.before(at) {
			return false
		}
	}
	return true
}

// judgeHeads compares the head with what the segments held.
func (s *scanner) judgeHeads(missing bool) {
	started := len(s.segments) > 0
	if missing && started && (s.seq > 0 || s.torn != nil || s.lateSigns != 1) {
		s.problem(headFile, 0, "the checkpoint file is missing")
	}
	for _, h := range s.heads {
		if !h.found {
			s.problem(segmentName(h.at.segment), h.at.offset,
				"the log was signed up to here with %d records, and this checkpoint is not here: records were cut off or changed", h.Size)
		}
	}
	if !missing && s.lateSigns > 1 {
		s.problem(headFile, 0, "the checkpoint file is %d checkpoints behind the log: it was rolled back", s.lateSigns)
	}
	if s.treeWhole && started && s.last.Note == nil {
		s.problem(segmentName(0), 0, "the log holds no checkpoint")
	}
	if s.last.Note == nil && len(s.heads) > 0 {
		s.last = s.heads[0].Checkpoint
	}
}
