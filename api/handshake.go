package api

import (
	"log/slog"
	"time"

	"github.com/go-json-experiment/json"
)

// ProtocolVersion is the version of the protocol; both sides must have the same.
const ProtocolVersion = 1

// HandshakeTimeout bounds a client's wait for one frame of the handshake.
const HandshakeTimeout = 10 * time.Second

// Hello is a client's frame of the handshake. The first one claims a principal,
// or none; the second, sent only after a challenge, carries the signature too.
type Hello struct {
	// Token is the session token, 64 hex digits.
	Token           string `json:"token"`
	ProtocolVersion int    `json:"protocol_version"`
	ClientVersion   string `json:"client_version"`
	// ClaimedPrincipal is who the client wants to act as.
	ClaimedPrincipal string `json:"claimed_principal,omitempty"`
	// Signature is the ed25519 signature of AuthMessage in hex.
	Signature string `json:"signature,omitempty"`
}

// String hides the token and the signature.
func (h Hello) String() string {
	return "hello of " + h.ClaimedPrincipal + " with client " + h.ClientVersion
}

// GoString hides the same.
func (h Hello) GoString() string { return h.String() }

// LogValue hides the same.
func (h Hello) LogValue() slog.Value { return slog.StringValue(h.String()) }

// The statuses of a Welcome.
const (
	StatusOK    = "ok"
	StatusError = "error"
)

// Welcome is the server's frame of the handshake. With a Challenge the
// handshake goes on; without one it is over.
type Welcome struct {
	Status          string `json:"status"`
	ProtocolVersion int    `json:"protocol_version"`
	ServerVersion   string `json:"server_version"`
	Reason          string `json:"reason,omitempty"`
	// Challenge is a nonce of 32 bytes in hex.
	Challenge string `json:"challenge,omitempty"`
}

// AuthMessage is what proves a principal when it is signed: both names are in
// it, so that a signature serves one principal and one connection alone.
func AuthMessage(principal, challenge string) []byte {
	return []byte("astrid-principal-auth:v1:" + principal + ":" + challenge)
}

// DecodeHello reads a client's frame of the handshake.
func DecodeHello(frame []byte) (Hello, error) {
	var h Hello
	if err := json.Unmarshal(frame, &h); err != nil {
		return Hello{}, errorf(CodeInvalid, "handshake is not a JSON object of the right shape")
	}
	return h, nil
}

// DecodeWelcome reads the server's frame of the handshake.
func DecodeWelcome(frame []byte) (Welcome, error) {
	var w Welcome
	if err := json.Unmarshal(frame, &w); err != nil {
		return Welcome{}, errorf(CodeInvalid, "handshake reply is not a JSON object of the right shape: %v", err)
	}
	return w, nil
}
