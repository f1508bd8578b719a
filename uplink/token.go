package uplink

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// TokenFile is the name of the session token in the run directory.
const TokenFile = "system.token"

const tokenBytes = 32

// Token is the secret that a client of this session must know. Its text shows
// nowhere but in the file. The zero value matches nothing.
type Token struct{ text string }

// String hides the token.
func (Token) String() string { return "[session token]" }

// GoString hides the token.
func (Token) GoString() string { return "uplink.Token{[hidden]}" }

// LogValue hides the token.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText refuses: a token is never written down as part of something else.
func (Token) MarshalText() ([]byte, error) { return nil, errors.New("a session token is not written") }

// matches compares in constant time, whatever the length of the other text.
func (t Token) matches(text string) bool {
	want, got := sha256.Sum256([]byte(t.text)), sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && t.text != ""
}

// CreateToken makes a new token and writes it to the run directory with mode
// 0600. The commit point is the rename: before it the old token, if any, is in
// place and an unfinished file beside it, which the next call replaces; after it
// the new one.
func CreateToken(runDir string) (Token, error) {
	root, err := os.OpenRoot(runDir)
	if err != nil {
		return Token{}, fmt.Errorf("create the session token: %w", err)
	}
	defer root.Close()
	secret := make([]byte, tokenBytes)
	rand.Read(secret) // never fails
	t := Token{text: hex.EncodeToString(secret)}
	if err := replaceToken(root, t.text); err != nil {
		return Token{}, fmt.Errorf("create the session token: %w", err)
	}
	return t, nil
}

func replaceToken(root *os.Root, text string) error {
	const unfinished = TokenFile + ".tmp" // one daemon a home, so one writer
	if err := root.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, root.Remove(unfinished))
	}
	if err := root.Rename(unfinished, TokenFile); err != nil {
		return errors.Join(err, root.Remove(unfinished))
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// RemoveToken deletes the token of a session that ends. That there is none is no
// error.
func RemoveToken(runDir string) error {
	root, err := os.OpenRoot(runDir)
	if err != nil {
		return fmt.Errorf("remove the session token: %w", err)
	}
	defer root.Close()
	if err := root.Remove(TokenFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the session token: %w", err)
	}
	return nil
}
