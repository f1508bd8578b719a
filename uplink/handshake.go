package uplink

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/principal"
)

const (
	// maxShownVersion bounds what of a client's version goes into the log.
	maxShownVersion = 64
	// refused is the one reason for every failed proof: which part was wrong is
	// nothing a stranger needs to know.
	refused = "authentication failed"
)

// refusal is a failed handshake that the client is told about.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

// welcome performs the handshake of one peer and returns the established
// connection, or nil after closing conn.
func (s *Server) welcome(conn *net.UnixConn) *connection {
	c, err := s.establish(conn)
	s.mu.Lock()
	delete(s.greeting, conn)
	s.mu.Unlock()
	if err == nil {
		return c
	}
	s.counters.refused.Add(1)
	s.log.Info("refused a connection", "error", err)
	conn.Close()
	return nil
}

func (s *Server) establish(conn *net.UnixConn) (*connection, error) {
	same, err := sameUser(conn)
	if err != nil {
		return nil, fmt.Errorf("ask who connects: %w", err)
	}
	if !same {
		s.counters.foreignUsers.Add(1)
		return nil, errors.New("peer has another uid")
	}
	c, err := s.identify(conn)
	if told, ok := errors.AsType[*refusal](err); ok {
		return nil, errors.Join(err, s.greet(conn, api.Welcome{Status: api.StatusError, Reason: told.reason}))
	}
	return c, err
}

func (s *Server) identify(conn *net.UnixConn) (*connection, error) {
	id, version, err := s.authenticate(conn)
	if err != nil {
		return nil, err
	}
	c := newConnection(s, conn, id)
	if err := s.admit(c); err != nil {
		return nil, err
	}
	s.log.Debug("client connected", "principal", id, "client", version)
	return c, nil
}

// authenticate returns the principal that the peer proved.
func (s *Server) authenticate(conn net.Conn) (principal.ID, string, error) {
	hello, err := s.hear(conn)
	if err != nil {
		return principal.ID{}, "", err
	}
	version := strings.ToValidUTF8(hello.ClientVersion[:min(len(hello.ClientVersion), maxShownVersion)], "")
	if hello.ClaimedPrincipal == "" {
		return principal.Anonymous(), version, nil
	}
	claimed, err := principal.Parse(hello.ClaimedPrincipal)
	if err != nil || claimed == principal.Anonymous() {
		return principal.ID{}, "", &refusal{refused}
	}
	var nonce [principal.NonceBytes]byte
	rand.Read(nonce[:]) // never fails
	if err := s.greet(conn, api.Welcome{Status: api.StatusOK, Challenge: hex.EncodeToString(nonce[:])}); err != nil {
		return principal.ID{}, "", err
	}
	proof, err := s.hear(conn)
	if err != nil {
		return principal.ID{}, "", err
	}
	signature, err := hex.DecodeString(proof.Signature)
	if err != nil {
		return principal.ID{}, "", &refusal{refused}
	}
	if err := s.config.Verify(claimed, nonce, signature); err != nil {
		s.log.Info("signature refused", "principal", claimed, "error", err)
		return principal.ID{}, "", &refusal{refused}
	}
	return claimed, version, nil
}

// notUnderstood is the answer to a first frame that is no handshake. It says what
// one looks like, and nothing that a frame which passes would not show.
const notUnderstood = `not a handshake: send a frame of at most 4096 bytes with {"token":"…","protocol_version":1,"client_version":"…"}`

// hear reads one frame of the handshake and checks what every one must have.
func (s *Server) hear(conn net.Conn) (api.Hello, error) {
	if err := conn.SetReadDeadline(time.Now().Add(s.limits.handshake)); err != nil {
		return api.Hello{}, err
	}
	frame, err := api.ReadFrame(conn, api.MaxHandshakeFrame)
	var size *api.FrameSizeError
	if errors.As(err, &size) {
		return api.Hello{}, &refusal{notUnderstood}
	}
	if err != nil {
		return api.Hello{}, fmt.Errorf("read the handshake: %w", err)
	}
	hello, err := api.DecodeHello(frame)
	if err != nil {
		return api.Hello{}, &refusal{notUnderstood}
	}
	if hello.ProtocolVersion != api.ProtocolVersion {
		return api.Hello{}, &refusal{fmt.Sprintf(
			"Protocol version mismatch (client=%d, server=%d): use a client and a daemon of the same version",
			hello.ProtocolVersion, api.ProtocolVersion)}
	}
	if !s.config.Token.matches(hello.Token) {
		return api.Hello{}, &refusal{refused}
	}
	return hello, nil
}

// greet sends one frame of the handshake.
func (s *Server) greet(conn io.Writer, w api.Welcome) error {
	w.ProtocolVersion, w.ServerVersion = api.ProtocolVersion, s.config.Version
	body, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode the handshake: %w", err)
	}
	if d, ok := conn.(net.Conn); ok {
		if err := d.SetWriteDeadline(time.Now().Add(s.limits.handshake)); err != nil {
			return err
		}
	}
	if err := api.WriteFrame(conn, body, api.MaxHandshakeFrame); err != nil {
		return fmt.Errorf("answer the handshake: %w", err)
	}
	return nil
}

// admit makes c one of the open connections and tells the client so. OnOpen comes
// before the answer, so that the client's first request finds itself counted.
func (s *Server) admit(c *connection) error {
	s.mu.Lock()
	if s.closing || s.count >= MaxConnections {
		full := !s.closing
		s.mu.Unlock()
		if full {
			return &refusal{fmt.Sprintf("too many connections, at most %d are served", MaxConnections)}
		}
		return &refusal{"the daemon shuts down"}
	}
	of := s.open[c.id]
	if of == nil {
		of = map[*connection]struct{}{}
		s.open[c.id] = of
	}
	of[c] = struct{}{}
	s.count++
	s.mu.Unlock()
	s.config.OnOpen(c.id)
	err := s.greet(c.conn, api.Welcome{Status: api.StatusOK})
	if err == nil {
		err = c.conn.SetDeadline(time.Time{}) // the handshake's no longer holds
	}
	if err != nil {
		s.forget(c)
		return err
	}
	s.counters.established.Add(1)
	return nil
}

// forget undoes admit.
func (s *Server) forget(c *connection) {
	s.mu.Lock()
	delete(s.open[c.id], c)
	if len(s.open[c.id]) == 0 {
		delete(s.open, c.id)
	}
	s.count--
	for key := range c.calls {
		delete(s.calls, key)
	}
	clear(c.calls)
	s.mu.Unlock()
	s.config.OnClose(c.id)
}
