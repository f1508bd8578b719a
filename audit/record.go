package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of one entry: what an event needs, with room; bodies hold hashes of
// large things.
const (
	MaxBodyBytes      = 64 << 10
	MaxPrincipalBytes = 256
	MaxKindBytes      = 128
)

// ErrEntry means that an entry breaks a limit.
var ErrEntry = errors.New("invalid audit entry")

// Entry is what happened. Body is opaque to this package.
type Entry struct {
	Time      time.Time // zero means the time of Append; kept to the nanosecond in UTC
	Principal string
	Kind      string
	Body      []byte
}

// Ref names a record: its place, counting from 0, and its hash.
type Ref struct {
	Seq  uint64
	Hash [32]byte
}

// Record is an entry read back.
type Record struct {
	Ref
	Entry
}

func (e Entry) check() error {
	switch {
	case len(e.Body) > MaxBodyBytes:
		return fmt.Errorf("%w: body of %d bytes, at most %d", ErrEntry, len(e.Body), MaxBodyBytes)
	case len(e.Principal) > MaxPrincipalBytes || !utf8.ValidString(e.Principal):
		return fmt.Errorf("%w: principal must be at most %d bytes of UTF-8", ErrEntry, MaxPrincipalBytes)
	case e.Kind == "" || len(e.Kind) > MaxKindBytes || !utf8.ValidString(e.Kind):
		return fmt.Errorf("%w: kind must be 1 to %d bytes of UTF-8", ErrEntry, MaxKindBytes)
	}
	return nil
}

// appendEntry encodes e: time, then principal and kind with their lengths, then
// the body.
func appendEntry(b []byte, e Entry) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixNano()))
	for _, s := range []string{e.Principal, e.Kind} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return append(b, e.Body...)
}

var errEntryShort = errors.New("record payload ends early")

// parseEntry decodes what appendEntry made. The body is a copy.
func parseEntry(b []byte) (Entry, error) {
	if len(b) < 8 {
		return Entry{}, errEntryShort
	}
	e := Entry{Time: time.Unix(0, int64(binary.BigEndian.Uint64(b))).UTC()}
	b = b[8:]
	for _, s := range []*string{&e.Principal, &e.Kind} {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return Entry{}, errEntryShort
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		*s, b = string(b[2:n]), b[n:]
	}
	e.Body = append([]byte{}, b...)
	return e, e.check()
}
