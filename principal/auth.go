package principal

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	methodKeypair = "keypair"
	keyPrefix     = "ed25519:"

	// NonceBytes is the length of a handshake challenge.
	NonceBytes = 32
)

// ParsePublicKey reads "ed25519:" followed by 64 hex digits.
func ParsePublicKey(s string) (ed25519.PublicKey, error) {
	digits, ok := strings.CutPrefix(s, keyPrefix)
	if !ok {
		return nil, errors.New(`public key does not begin with "ed25519:"`)
	}
	if len(digits) != hex.EncodedLen(ed25519.PublicKeySize) {
		return nil, fmt.Errorf("ed25519 key of %d hex digits, want %d", len(digits), hex.EncodedLen(ed25519.PublicKeySize))
	}
	key, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("ed25519 key: %w", err)
	}
	return ed25519.PublicKey(key), nil
}

// FormatPublicKey writes a key as ParsePublicKey reads it.
func FormatPublicKey(key ed25519.PublicKey) string { return keyPrefix + hex.EncodeToString(key) }

// AuthMessage is what a client signs to prove a name: "astrid-principal-auth:v1:{principal}:{nonce_hex}". The name is
// in it so that a signature made for one principal proves no other.
func AuthMessage(id ID, nonce [NonceBytes]byte) []byte {
	return []byte("astrid-principal-auth:v1:" + id.name + ":" + hex.EncodeToString(nonce[:]))
}

// VerifySignature reports whether one of the profile's keys made signature over message. It is false unless the
// profile is enabled and allows the keypair method. Every key is tried, whichever of them matches, so that the time
// taken tells nothing about which key signed.
func VerifySignature(p Profile, message, signature []byte) bool {
	allowed := p.Enabled && slices.Contains(p.Auth.Methods, methodKeypair)
	verified := false
	for _, text := range p.Auth.PublicKeys {
		key, err := ParsePublicKey(text)
		if err != nil {
			continue
		}
		if ed25519.Verify(key, message, signature) {
			verified = true
		}
	}
	return allowed && verified
}
