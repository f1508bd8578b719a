package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/go-json-experiment/json"
)

// Config says where to connect and as whom. SocketPath and TokenPath are
// required.
type Config struct {
	SocketPath string
	// TokenPath is the file with the session token; it is read anew by each Dial,
	// because the token changes with each start of the daemon.
	TokenPath string
	// Principal is who to act as, and Signer the key that proves it. Without
	// either the connection is anonymous.
	Principal string
	Signer    ed25519.PrivateKey
	// Version is told to the server.
	Version string
}

// Dial connects and performs the handshake. An error is fs.ErrNotExist or
// syscall.ECONNREFUSED when there is no daemon, and an *Error when the daemon
// refused: CodeUnsupported for another version of the protocol, CodeDenied for
// a wrong token or signature. The context bounds the handshake alone.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	token, err := readToken(cfg.TokenPath)
	if err != nil {
		return nil, fmt.Errorf("read the session token: %w", err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", cfg.SocketPath)
	if err != nil {
		return nil, fmt.Errorf("connect to the daemon: %w", err)
	}
	if err := shake(ctx, conn, cfg, token); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the daemon: %w", err), conn.Close())
	}
	return newClient(conn), nil
}

// maxTokenFile is more than a token and a line end; a larger file is no token.
const maxTokenFile = 256

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	return string(bytes.TrimSpace(b)), err
}

// shake performs the client's side of the handshake and leaves conn without a
// deadline.
func shake(ctx context.Context, conn net.Conn, cfg Config, token string) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	hello := Hello{Token: token, ProtocolVersion: ProtocolVersion, ClientVersion: cfg.Version}
	if cfg.Principal != "" && len(cfg.Signer) == ed25519.PrivateKeySize {
		hello.ClaimedPrincipal = cfg.Principal
	}
	welcome, err := exchange(conn, hello)
	if err == nil && hello.ClaimedPrincipal != "" {
		if _, err := hex.DecodeString(welcome.Challenge); err != nil || len(welcome.Challenge) != 2*challengeBytes {
			return errorf(CodeUnsupported, "the daemon sent no challenge for principal %s", cfg.Principal)
		}
		hello.Signature = hex.EncodeToString(ed25519.Sign(cfg.Signer, AuthMessage(cfg.Principal, welcome.Challenge)))
		_, err = exchange(conn, hello)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("handshake: %w", context.Cause(ctx))
	}
	if err != nil {
		return err
	}
	if !stop() {
		return fmt.Errorf("handshake: %w", context.Cause(ctx))
	}
	return conn.SetDeadline(time.Time{})
}

// challengeBytes is the length of a nonce.
const challengeBytes = 32

// exchange sends one frame of the handshake and reads the answer.
func exchange(conn net.Conn, hello Hello) (Welcome, error) {
	body, err := json.Marshal(hello)
	if err != nil {
		return Welcome{}, errorf(CodeUsage, "handshake: principal and version have to be valid text")
	}
	if err := WriteFrame(conn, body, MaxHandshakeFrame); err != nil {
		return Welcome{}, fmt.Errorf("handshake: %w", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return Welcome{}, fmt.Errorf("handshake: %w", err)
	}
	frame, err := ReadFrame(conn, MaxHandshakeFrame)
	if err != nil {
		return Welcome{}, fmt.Errorf("handshake: the daemon did not answer: %w", err)
	}
	welcome, err := DecodeWelcome(frame)
	if err != nil {
		return Welcome{}, err
	}
	return welcome, refusalOf(welcome)
}

func refusalOf(w Welcome) error {
	switch {
	case w.Status == StatusOK && w.ProtocolVersion == ProtocolVersion:
		return nil
	case w.ProtocolVersion != ProtocolVersion:
		return &Error{Code: CodeUnsupported, Message: w.Reason + versionHint(w),
			Hint: "use a client and a daemon of the same version"}
	case w.Status == StatusError && w.Reason != "":
		return errorf(CodeDenied, "%s", w.Reason)
	}
	return errorf(CodeDenied, "the daemon refused the connection with status %q", clip(w.Status))
}

func versionHint(w Welcome) string {
	if w.Reason != "" {
		return ""
	}
	return fmt.Sprintf("the daemon speaks protocol version %d, this client %d", w.ProtocolVersion, ProtocolVersion)
}
