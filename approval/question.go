package approval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/astrid-go/astrid/principal"
)

// Limits on the text of a question, in characters: what a person can be expected to read. Longer text is refused
// rather than cut, because two calls must not look alike.
const (
	MaxActionChars   = 256
	MaxResourceChars = 1024
	MaxReasonChars   = 1024
	// MaxCallBytes bounds capsule and call ids and hashes.
	MaxCallBytes = 256
)

// ErrInvalid is wrapped when a question or an answer is malformed.
var ErrInvalid = errors.New("invalid approval")

// Question is one exact call that a person is asked about.
type Question struct {
	// ID names the question; Ask derives it from the content below, so that the same call finds it again.
	ID string `json:"request_id"`
	// Principal is who would act, Capsule what acts for it, Call the id of this one call.
	Principal principal.ID `json:"principal"`
	Capsule   string       `json:"capsule"`
	Call      string       `json:"call"`
	// Action and Resource say what would be done to what. Stored questions hold them with control characters shown as
	// escapes.
	Action   string `json:"action"`
	Resource string `json:"resource"`
	// Reason is the asker's explanation; it is shown and decides nothing.
	Reason string `json:"reason,omitempty"`
	// ArgsHash is the hash of the call's arguments, in hex. Other arguments are another question.
	ArgsHash string `json:"args_hash,omitempty"`
	// AskedAt and ExpiresAt are set by Ask; a zero ExpiresAt means never.
	AskedAt   time.Time `json:"asked_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// check refuses what is missing or too long. It runs on the text as the caller gave it.
func (q Question) check() error {
	if q.Principal.IsZero() || q.Principal == principal.Anonymous() {
		return fmt.Errorf("%w: question without a principal", ErrInvalid)
	}
	if q.Capsule == "" || q.Call == "" || q.Action == "" || q.Resource == "" {
		return fmt.Errorf("%w: question without capsule, call, action or resource", ErrInvalid)
	}
	for _, f := range []struct {
		name, text string
		limit      int
	}{
		{"capsule", q.Capsule, MaxCallBytes}, {"call", q.Call, MaxCallBytes}, {"args hash", q.ArgsHash, MaxCallBytes},
		{"action", q.Action, MaxActionChars}, {"resource", q.Resource, MaxResourceChars}, {"reason", q.Reason, MaxReasonChars},
	} {
		if len(f.text) > f.limit*utf8.UTFMax || utf8.RuneCountInString(f.text) > f.limit {
			return fmt.Errorf("%w: %s is longer than %d characters", ErrInvalid, f.name, f.limit)
		}
	}
	return nil
}

// id names the question by all that makes the call this call. It is taken from the raw text: two texts that are shown
// alike stay two questions.
func (q Question) id() string {
	return digest("question", q.Principal.String(), q.Capsule, q.Call, q.Action, q.Resource, q.ArgsHash)
}

// allowance names the allowance that would cover the call.
func (q Question) allowance() string {
	return digest("allowance", q.Principal.String(), q.Capsule, q.Action, q.Resource)
}

// idBytes is the length of an id before hex: 128 bits, beyond accidental and constructed collision within one principal.
const idBytes = 16

func digest(fields ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, f := range fields {
		binary.BigEndian.PutUint64(size[:], uint64(len(f)))
		h.Write(size[:])
		h.Write([]byte(f))
	}
	return hex.EncodeToString(h.Sum(nil)[:idBytes])
}

// shown returns the question with every text safe to print: what steers a terminal or is not visible becomes an escape.
func (q Question) shown() Question {
	for _, text := range []*string{&q.Capsule, &q.Call, &q.Action, &q.Resource, &q.Reason, &q.ArgsHash} {
		*text = Visible(*text)
	}
	return q
}

// Visible returns s with every character that steers a terminal or is not visible written as an escape.
func Visible(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteRune(r)
		case r == utf8.RuneError:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}
