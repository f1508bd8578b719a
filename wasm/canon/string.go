package canon

import (
	"context"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Tag marks a string of Latin1OrUTF16 that is UTF-16.
const utf16Tag = 1 << 31

// loadString lifts the string of units code units at ptr.
func (cx *Context) loadString(ptr, units uint32) string {
	n, align, wide := uint64(units), uint32(1), false
	switch cx.opts.Encoding {
	case UTF16:
		n, align, wide = 2*n, 2, true
	case Latin1OrUTF16:
		align = 2
		if units&utf16Tag != 0 {
			n, wide = 2*uint64(units&^utf16Tag), true
		}
	}
	b := cx.view(ptr, n, align)
	cx.charge(n)
	switch {
	case wide:
		return decodeUTF16(b)
	case cx.opts.Encoding == Latin1OrUTF16:
		return decodeLatin1(b)
	}
	trapIf(!utf8.Valid(b), "string is not valid UTF-8")
	return string(b)
}

func decodeLatin1(b []byte) string {
	var s strings.Builder
	s.Grow(len(b))
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func decodeUTF16(b []byte) string {
	var s strings.Builder
	s.Grow(len(b) / 2)
	for i := 0; i < len(b); i += 2 {
		c := rune(binary.LittleEndian.Uint16(b[i:]))
		if utf16.IsSurrogate(c) {
			i += 2
			trapIf(i >= len(b), "string is not valid UTF-16")
			c = utf16.DecodeRune(c, rune(binary.LittleEndian.Uint16(b[i:])))
			trapIf(c == utf8.RuneError, "string is not valid UTF-16")
		}
		s.WriteRune(c)
	}
	return s.String()
}

// storeString lowers s into space of the guest's. What is not UTF-8 in s, which
// only the host can cause, becomes U+FFFD.
func (cx *Context) storeString(ctx context.Context, s string) (ptr, units uint32) {
	trapIf(uint64(len(s)) > MaxBytes, "list or string is too long")
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	switch cx.opts.Encoding {
	case UTF16:
		return cx.storeUTF16(ctx, s)
	case Latin1OrUTF16:
		if latin, ok := encodeLatin1(s); ok {
			return cx.storeBytes(ctx, latin, 2), uint32(len(latin))
		}
		ptr, units = cx.storeUTF16(ctx, s)
		return ptr, units | utf16Tag
	}
	ptr = cx.alloc(ctx, uint64(len(s)), 1)
	trapIf(!cx.opts.Memory.WriteString(ptr, s), "pointer is out of bounds of memory")
	return ptr, uint32(len(s))
}

func (cx *Context) storeUTF16(ctx context.Context, s string) (ptr, units uint32) {
	b := make([]byte, 0, 2*len(s))
	for _, r := range s {
		if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
			b = binary.LittleEndian.AppendUint16(b, uint16(r1))
			r = r2
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return cx.storeBytes(ctx, b, 2), uint32(len(b) / 2)
}

func encodeLatin1(s string) ([]byte, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}

func (cx *Context) storeBytes(ctx context.Context, b []byte, align uint32) uint32 {
	ptr := cx.alloc(ctx, uint64(len(b)), align)
	trapIf(!cx.opts.Memory.Write(ptr, b), "pointer is out of bounds of memory")
	return ptr
}
