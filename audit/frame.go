package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/zeebo/blake3"
)

// A frame on disk, integers big-endian:
//
//	length  u32  of the payload
//	kind    u8   start, record or checkpoint
//	seq     u64  records before this frame
//	prev    32   hash of the frame before, zero for the first of the log
//	payload
//	hash    32   BLAKE3 of hashDomain and all of the above
//	crc     u32  CRC-32C of all of the above
const (
	frameHead = 4 + 1 + 8 + 32
	frameTail = 32 + 4
	frameMin  = frameHead + frameTail

	// maxPayload fits the largest entry with its lengths.
	maxPayload = 8 + 2 + MaxPrincipalBytes + 2 + MaxKindBytes + MaxBodyBytes
	maxFrame   = frameMin + maxPayload

	// hashDomain keeps hashes of frames apart from all other uses of BLAKE3.
	hashDomain = "astrid-go audit frame 1\x00"
)

type frameKind byte

// Zero is no kind, so that zeroed blocks are never a frame.
const (
	startFrame      frameKind = 1 // payload: formatVersion and origin
	recordFrame     frameKind = 2 // payload: an entry
	checkpointFrame frameKind = 3 // payload: a signed note
)

type hash = [32]byte

type frame struct {
	kind    frameKind
	seq     uint64
	prev    hash
	payload []byte // shares memory with what was decoded
	hash    hash
}

func (f *frame) size() int64 { return int64(frameMin + len(f.payload)) }

// errIncomplete means that the bytes end before the frame does.
var errIncomplete = errors.New("frame is incomplete")

// appendFrame encodes f without looking at f.hash and returns the hash.
func appendFrame(b []byte, f frame) ([]byte, hash) {
	from := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
	b = append(b, byte(f.kind))
	b = binary.BigEndian.AppendUint64(b, f.seq)
	b = append(b, f.prev[:]...)
	b = append(b, f.payload...)
	sum := frameHash(b[from:])
	b = append(b, sum[:]...)
	return binary.BigEndian.AppendUint32(b, checksum(b[from:])), sum
}

// decodeFrame reads the frame at the start of b.
func decodeFrame(b []byte) (frame, error) {
	if len(b) < 4 {
		return frame{}, errIncomplete
	}
	length := binary.BigEndian.Uint32(b)
	if length > maxPayload {
		return frame{}, fmt.Errorf("frame length %d is over the limit of %d", length, maxPayload)
	}
	end := frameMin + int(length)
	if len(b) < end {
		return frame{}, errIncomplete
	}
	b = b[:end]
	if checksum(b[:end-4]) != binary.BigEndian.Uint32(b[end-4:]) {
		return frame{}, errors.New("checksum does not match")
	}
	f := frame{
		kind: frameKind(b[4]), seq: binary.BigEndian.Uint64(b[5:]),
		prev: hash(b[13:frameHead]), payload: b[frameHead : end-frameTail], hash: hash(b[end-frameTail : end-4]),
	}
	if frameHash(b[:end-frameTail]) != f.hash {
		return frame{}, errors.New("hash does not match the content")
	}
	if f.kind < startFrame || f.kind > checkpointFrame {
		return frame{}, fmt.Errorf("unknown frame kind %d", f.kind)
	}
	return f, nil
}

func frameHash(b []byte) hash {
	// The domain goes in front; the buffer lives on the stack for usual records.
	var buffer [1024]byte
	return blake3.Sum256(append(append(buffer[:0], hashDomain...), b...))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
