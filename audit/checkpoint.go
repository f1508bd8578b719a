package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxOriginBytes keeps a signed checkpoint inside one slot of the head.
const MaxOriginBytes = 64

// Checkpoint is a signed statement about the log: so many records, with this
// tree root. Note is the text in C2SP checkpoint and signed-note format
// (https://c2sp.org/tlog-checkpoint), with one extension line: where its frame
// stands.
type Checkpoint struct {
	Origin string
	Size   uint64 // records covered
	Root   tlog.Hash
	Note   []byte

	at place
}

// place is where a frame begins: the first sequence number of the segment, and
// the offset in its file.
type place struct {
	segment uint64
	offset  int64
}

func (p place) before(q place) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

// extension is the word before a place in a checkpoint's extension line.
const extension = "astrid-frame"

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s %d %d\n", c.Origin, c.Size,
		base64.StdEncoding.EncodeToString(c.Root[:]), extension, c.at.segment, c.at.offset)
}

// openCheckpoint verifies a note against the trusted keys and parses it.
func openCheckpoint(msg []byte, trusted []ed25519.PublicKey) (Checkpoint, error) {
	origin, _, _ := strings.Cut(string(msg), "\n")
	var known []note.Verifier
	for _, key := range trusted {
		v, err := newVerifier(origin, key)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("checkpoint origin: %w", err)
		}
		known = append(known, v)
	}
	n, err := note.Open(msg, note.VerifierList(known...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint signature: %w", err)
	}
	if len(n.UnverifiedSigs) > 0 {
		return Checkpoint{}, errors.New("checkpoint carries a signature of an unknown key")
	}
	c, err := parseCheckpoint(n.Text)
	c.Note = append([]byte{}, msg...)
	return c, err
}

// parseCheckpoint reads the signed text; only the form text makes is accepted.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return Checkpoint{}, errors.New("checkpoint has not four lines")
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint size: %w", err)
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint root: %w", err)
	}
	at := strings.Split(lines[3], " ")
	if len(at) != 3 {
		return Checkpoint{}, errors.New("checkpoint place is malformed")
	}
	if c.at.segment, err = strconv.ParseUint(at[1], 10, 63); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint segment: %w", err)
	}
	if c.at.offset, err = strconv.ParseInt(at[2], 10, 63); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint offset: %w", err)
	}
	if c.text() != text {
		return Checkpoint{}, errors.New("checkpoint is not in canonical form")
	}
	return c, nil
}

// newVerifier makes the verifier for checkpoints of the log origin that are
// signed with key.
func newVerifier(origin string, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// signer is a note.Signer over an ed25519 key.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func newSigner(origin string, key ed25519.PrivateKey) (signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return signer{}, errors.New("the key is not an ed25519 private key")
	}
	if origin == "" || len(origin) > MaxOriginBytes {
		return signer{}, fmt.Errorf("the origin must have 1 to %d bytes", MaxOriginBytes)
	}
	v, err := newVerifier(origin, key.Public().(ed25519.PublicKey))
	return signer{v, key}, err
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// sign fills in the note of c.
func (s signer) sign(c Checkpoint) (Checkpoint, error) {
	c.Origin = s.Name()
	msg, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign checkpoint: %w", err)
	}
	c.Note = msg
	return c, nil
}
