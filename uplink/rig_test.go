package uplink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// patience is how long a test waits for what should come at once; it is the end of
// a broken test, never a measure.
const patience = 20 * time.Second

// rig is a Server on a real socket and a real bus. Tools echo their arguments.
type rig struct {
	*Server
	t    testing.TB
	dir  string
	keys map[string]ed25519.PrivateKey

	mu        sync.Mutex     // guards what follows
	open      map[string]int // by principal
	opened    int
	closed    int
	published []bus.Message
}

// behave changes what a rig's server does before it starts.
type behave func(*Config)

func newRig(t testing.TB, changes ...behave) *rig {
	t.Helper()
	return newRigWithin(t, defaultLimits(), changes...)
}

func newRigWithin(t testing.TB, l limits, changes ...behave) *rig {
	t.Helper()
	b := bus.New(bus.Config{})
	r := &rig{t: t, dir: t.TempDir(), keys: map[string]ed25519.PrivateKey{}, open: map[string]int{}}
	for i, name := range []string{"alice", "bob"} {
		r.keys[name] = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
	}
	run := filepath.Join(r.dir, "run")
	listener, err := Listen(run)
	if err != nil {
		t.Fatal(err)
	}
	token, err := CreateToken(run)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		Bus: b, Token: token, Version: "1.2.3", Verify: r.verify, Request: echo, Publish: r.publish(b),
		OnOpen: r.onOpen, OnClose: r.onClose,
	}
	for _, change := range changes {
		change(&config)
	}
	if r.Server, err = New(config); err != nil {
		t.Fatal(err)
	}
	r.limits = l
	served := make(chan error, 1)
	go func() { served <- r.Serve(listener) }() // ends with Shutdown, waited for below
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, ErrShutdown) {
			t.Errorf("serve: %v", err)
		}
		b.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.opened != r.closed || len(r.open) != 0 {
			t.Errorf("opened %d, closed %d, left %v", r.opened, r.closed, r.open)
		}
	})
	return r
}

func (r *rig) verify(id principal.ID, nonce [principal.NonceBytes]byte, signature []byte) error {
	key, ok := r.keys[id.String()]
	if !ok {
		return principal.ErrUnknown
	}
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), principal.AuthMessage(id, nonce), signature) {
		return errors.New("bad signature")
	}
	return nil
}

// echo answers a request with who asked and what.
func echo(_ context.Context, by principal.ID, method string, params json.RawMessage) (any, error) {
	if by == principal.Anonymous() {
		return nil, &api.Error{Code: api.CodeDenied, Message: "no rights", Rule: "etc/groups.toml", DenialID: "d1"}
	}
	return map[string]any{"by": by.String(), "method": method, "params": params}, nil
}

// publish plays the kernel: a tool answers over the bus with its arguments.
func (r *rig) publish(b *bus.Bus) func(context.Context, bus.Message) error {
	return func(ctx context.Context, m bus.Message) error {
		r.mu.Lock()
		r.published = append(r.published, m)
		r.mu.Unlock()
		tool, ok := api.ToolOfTopic(m.Topic.String())
		if !ok {
			_, err := b.Publish(ctx, m)
			return err
		}
		var call api.ToolExecuteRequest
		if err := json.Unmarshal(m.Payload, &call); err != nil {
			return err
		}
		if tool == "denied" {
			return &api.Error{Code: api.CodeDenied, Message: "not yours", Rule: "Capsule.toml:3", DenialID: "d2"}
		}
		return r.result(ctx, b, m.From, tool, api.ToolResult{CallID: call.CallID, Content: string(call.Arguments)})
	}
}

func (r *rig) result(ctx context.Context, b *bus.Bus, from bus.Attribution, tool string, result api.ToolResult) error {
	payload, err := api.EncodePayload(api.ToolExecuteResult{CallID: result.CallID, Result: result})
	if err != nil {
		return err
	}
	_, err = b.PublishWith(ctx, bus.Message{Topic: topic(r.t, api.ToolResultTopic(tool)), Payload: payload, From: from},
		bus.PublishOptions{MaxPayload: bus.MaxPayload})
	return err
}

func (r *rig) onOpen(id principal.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	r.open[id.String()]++
}

func (r *rig) onClose(id principal.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	if r.open[id.String()]--; r.open[id.String()] == 0 {
		delete(r.open, id.String())
	}
}

func (r *rig) connections(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[id]
}

func (r *rig) messages() []bus.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.published)
}

func (r *rig) config(name string) api.Config {
	run := filepath.Join(r.dir, "run")
	return api.Config{
		SocketPath: filepath.Join(run, SocketFile), TokenPath: filepath.Join(run, TokenFile),
		Principal: name, Signer: r.keys[name], Version: "test",
	}
}

// dial connects with the Go client, as anonymous if the principal has no key.
func (r *rig) dial(name string) *api.Client {
	r.t.Helper()
	c, err := api.Dial(within(r.t), r.config(name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// wire is a connection without a client, for what no client would send.
type wire struct {
	t testing.TB
	net.Conn
}

func (r *rig) wire() wire { return connect(r.t, r.config("").SocketPath) }

func connect(t testing.TB, path string) wire {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return wire{t, conn}
}

// hello is a first frame that the server accepts.
func (r *rig) hello(claimed string) api.Hello {
	return api.Hello{Token: r.Server.config.Token.text, ProtocolVersion: 1, ClientVersion: "wire", ClaimedPrincipal: claimed}
}

// login performs the handshake as a principal.
func (r *rig) login(name string) wire {
	r.t.Helper()
	w := r.wire()
	hello := r.hello(name)
	challenge := w.exchange(hello).Challenge
	hello.Signature = sign(r.keys[name], name, challenge)
	if welcome := w.exchange(hello); welcome.Status != api.StatusOK {
		r.t.Fatalf("login refused: %+v", welcome)
	}
	return w
}

func sign(key ed25519.PrivateKey, name, challenge string) string {
	return hexOf(ed25519.Sign(key, api.AuthMessage(name, challenge)))
}

func (w wire) exchange(hello api.Hello) api.Welcome {
	w.t.Helper()
	body, err := json.Marshal(hello)
	if err != nil {
		w.t.Fatal(err)
	}
	w.frame(string(body))
	got, err := api.ReadFrame(w, api.MaxHandshakeFrame)
	if err != nil {
		w.t.Fatal(err)
	}
	welcome, err := api.DecodeWelcome(got)
	if err != nil {
		w.t.Fatal(err)
	}
	return welcome
}

func (w wire) frame(body string) {
	w.t.Helper()
	if err := api.WriteFrame(w, []byte(body), 64<<20); err != nil {
		w.t.Fatal(err)
	}
}

func (w wire) read() api.Message {
	w.t.Helper()
	frame, err := api.ReadFrame(w, api.MaxFrame)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := api.DecodeMessage(frame)
	if err != nil {
		w.t.Fatalf("%s: %v", frame, err)
	}
	return m
}

// refusal reads a frame that must be an error.
func (w wire) refusal() (topic string, e api.Error) {
	w.t.Helper()
	m := w.read()
	var r struct {
		Error *api.Error `json:"error"`
	}
	if err := json.Unmarshal(m.Payload, &r); err != nil || r.Error == nil {
		w.t.Fatalf("%s carries no error: %s", m.Topic, m.Payload)
	}
	return m.Topic, *r.Error
}

// gone waits until the server has closed the connection.
func (w wire) gone() {
	w.t.Helper()
	if n, err := io.Copy(io.Discard, w); errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("still open after %d bytes: %v", n, err)
	}
}

func header(size uint32) []byte { return binary.BigEndian.AppendUint32(nil, size) }

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a state that another goroutine brings about.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// latch is a channel that open closes, at the latest when the test ends: a test
// that fails must not leave a server waiting. It is made after the rig.
func (r *rig) latch(c chan struct{}) (open func()) {
	open = sync.OnceFunc(func() { close(c) })
	r.t.Cleanup(open)
	return open
}

func who(t testing.TB, name string) principal.ID {
	t.Helper()
	id, err := principal.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func topic(t testing.TB, name string) bus.Topic {
	t.Helper()
	parsed, err := bus.ParseTopic(name)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
