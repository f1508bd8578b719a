package kv

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of what a guest may store in one step.
const (
	MaxKeyBytes   = 256       // the WIT contract of astrid:kv
	MaxValueBytes = 1 << 20   // the WIT contract of astrid:kv
	MaxPage       = 1024      // the WIT contract of astrid:kv; bounds the memory of one reply
	MaxBatchOps   = 1024      // bounds the time one operation holds the writer
	MaxBatchBytes = 16 << 20  // bounds the memory of one operation
	MaxStoreBytes = 256 << 30 // Config.MaxBytes beyond this is a mistake in the unit
)

// checkKey reports whether s may name something: 1 to MaxKeyBytes bytes of
// UTF-8 in NFC without control characters.
func checkKey(s string) error {
	if s == "" {
		return fmt.Errorf("%w: empty", ErrInvalidKey)
	}
	return checkPrefix(s)
}

// checkPrefix is checkKey, and allows the empty string.
func checkPrefix(s string) error {
	if len(s) > MaxKeyBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrInvalidKey, len(s), MaxKeyBytes)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: not UTF-8", ErrInvalidKey)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: control character %U", ErrInvalidKey, r)
		}
	}
	if !norm.NFC.IsNormalString(s) {
		return fmt.Errorf("%w: not in normal form NFC", ErrInvalidKey)
	}
	return nil
}

func checkValue(v []byte) error {
	if len(v) > MaxValueBytes {
		return fmt.Errorf("%w: value of %d bytes, at most %d", ErrTooLarge, len(v), MaxValueBytes)
	}
	return nil
}
