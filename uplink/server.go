package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

const (
	// MaxConnections bounds the established connections.
	MaxConnections = 128
	// maxPending bounds the handshakes under way; further peers wait in the
	// system's backlog.
	maxPending = 8
	// drainTime is what Shutdown leaves to requests that run, so that who asked
	// for the shutdown gets the reply.
	drainTime = time.Second
)

// Config is what a Server works with. Everything but OnOpen, OnClose and Logger
// is required. The functions are called concurrently.
type Config struct {
	// Bus is where messages for clients come from.
	Bus *bus.Bus
	// Token is the secret of this session.
	Token Token
	// Version is told to clients.
	Version string
	// Verify returns nil if signature proves the principal for this nonce: see
	// [principal.AuthMessage] and [principal.VerifySignature].
	Verify func(id principal.ID, nonce [principal.NonceBytes]byte, signature []byte) error
	// Request answers a kernel request. An error that is no *api.Error is logged
	// and told to the client as an internal one. The context ends with the
	// connection.
	Request func(ctx context.Context, by principal.ID, method string, params json.RawMessage) (any, error)
	// Publish dispatches a message. Its error answers the client; after nil, and
	// after bus.ErrFull for the call of a tool, the answer comes over the bus.
	Publish func(ctx context.Context, m bus.Message) error
	// OnOpen and OnClose are called once for each connection that passed the
	// handshake, in this order, however it ends.
	OnOpen, OnClose func(principal.ID)
	// Logger receives what an operator should know; nil discards it.
	Logger *slog.Logger
}

func (c *Config) check() error {
	if c.Bus == nil || c.Token.text == "" || c.Verify == nil || c.Request == nil || c.Publish == nil {
		return errors.New("new uplink: Bus, Token, Verify, Request and Publish are required")
	}
	if c.OnOpen == nil {
		c.OnOpen = func(principal.ID) {}
	}
	if c.OnClose == nil {
		c.OnClose = func(principal.ID) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// limits bound waits for a peer.
type limits struct {
	handshake time.Duration // each read and write of the handshake
	frame     time.Duration // a frame from its first byte to its last; between frames a client may be silent for ever
	write     time.Duration // one write: a client that takes none of a batch for so long is stuck
}

func defaultLimits() limits {
	return limits{handshake: 5 * time.Second, frame: 10 * time.Second, write: 5 * time.Second}
}

// Server serves the socket. It is safe for concurrent use. What New returns must
// be shut down.
type Server struct {
	config   Config
	limits   limits // fixed before Serve
	log      *slog.Logger
	counters counters
	feeds    []*bus.Subscription
	pending  chan struct{}

	// root is the parent of every request and publish; cut ends it.
	root context.Context
	cut  context.CancelFunc
	// goroutines counts all of the server's, requests those that Shutdown lets
	// finish.
	goroutines sync.WaitGroup
	requests   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	listener *net.UnixListener
	closing  bool
	greeting map[net.Conn]struct{}
	open     map[principal.ID]map[*connection]struct{}
	count    int
	calls    map[call]*connection
}

// New returns a Server that receives from the bus from now on. Serve makes it
// answer.
func New(config Config) (*Server, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	s := &Server{
		config: config, limits: defaultLimits(), log: config.Logger, pending: make(chan struct{}, maxPending),
		greeting: map[net.Conn]struct{}{}, open: map[principal.ID]map[*connection]struct{}{}, calls: map[call]*connection{},
	}
	s.root, s.cut = context.WithCancel(context.Background())
	if err := s.subscribe(); err != nil {
		s.cut()
		s.unsubscribe()
		s.goroutines.Wait()
		return nil, fmt.Errorf("new uplink: %w", err)
	}
	return s, nil
}

// ErrShutdown is returned by Serve after Shutdown.
var ErrShutdown = errors.New("uplink shut down")

// Serve accepts connections until Shutdown, or until the listener fails for good.
// The server closes the listener. Serve is called once.
func (s *Server) Serve(l *net.UnixListener) error {
	s.mu.Lock()
	if s.closing || s.listener != nil {
		s.mu.Unlock()
		return errors.Join(ErrShutdown, l.Close())
	}
	s.listener = l
	s.mu.Unlock()
	for {
		select {
		case s.pending <- struct{}{}:
		case <-s.root.Done():
			return ErrShutdown
		}
		conn, err := l.AcceptUnix()
		if err == nil {
			s.begin(conn)
			continue
		}
		<-s.pending
		if s.isClosing() {
			return ErrShutdown
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept: %w", err)
		}
		s.log.Warn("accept a connection", "error", err)
		time.Sleep(acceptPause)
	}
}

// acceptPause keeps the loop from spinning while the process is out of file
// descriptors.
const acceptPause = 50 * time.Millisecond

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// begin starts the goroutine of a new connection, which holds a place in
// s.pending until its handshake is over.
func (s *Server) begin(conn *net.UnixConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		conn.Close()
		<-s.pending
		return
	}
	s.greeting[conn] = struct{}{}
	s.goroutines.Go(func() {
		c := s.welcome(conn)
		<-s.pending
		if c != nil {
			c.serve()
		}
	})
}

// Shutdown stops accepting, refuses new frames, lets running requests end for a
// second, sends what waits for each client and closes every connection. When ctx
// ends it cuts short and returns ctx's error. It is safe twice, and always waits
// for the server's goroutines.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	listener := s.listener
	for conn := range s.greeting {
		conn.Close()
	}
	s.mu.Unlock()
	if !first {
		s.goroutines.Wait()
		return nil
	}
	var err error
	if listener != nil {
		err = listener.Close()
	}
	defer context.AfterFunc(ctx, s.abort)()
	s.awaitRequests(ctx)
	s.unsubscribe()
	for _, c := range s.connections() {
		c.queue.finish()
	}
	s.cut()
	s.goroutines.Wait()
	return errors.Join(err, ctx.Err())
}

// awaitRequests waits for requests that run, no longer than drainTime.
func (s *Server) awaitRequests(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	done := make(chan struct{})
	s.goroutines.Go(func() { // ends once s.cut has ended the requests; Shutdown waits for it
		s.requests.Wait()
		close(done)
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// abort closes every connection without sending what waits.
func (s *Server) abort() {
	s.cut()
	for _, c := range s.connections() {
		c.conn.Close()
	}
}

func (s *Server) connections() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*connection, 0, s.count)
	for _, of := range s.open {
		for c := range of {
			all = append(all, c)
		}
	}
	return all
}

// sameUser reports whether the peer has our own uid.
func sameUser(conn *net.UnixConn) (bool, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false, err
	}
	var uid uint32
	var credErr error
	if err := raw.Control(func(fd uintptr) { uid, credErr = peerUID(int(fd)) }); err != nil {
		return false, err
	}
	return credErr == nil && uid == uint32(os.Geteuid()), credErr
}
