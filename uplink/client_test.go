package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// The tests of the Go client stand here because its server does.

func TestDialSaysWhyItFails(t *testing.T) {
	r := newRig(t)
	wire := func(err error) api.Code {
		if e, ok := errors.AsType[*api.Error](err); ok {
			return e.Code
		}
		return ""
	}
	config := r.config("alice")
	config.SocketPath += "2"
	if _, err := api.Dial(within(t), config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: config.SocketPath, Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := api.Dial(within(t), config); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a socket that nobody serves: %v", err)
	}
	config = r.config("alice")
	config.TokenPath += "2"
	if _, err := api.Dial(within(t), config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no token: %v", err)
	}
	must(t, os.WriteFile(config.TokenPath, []byte("wrong"), 0o600))
	if _, err := api.Dial(within(t), config); wire(err) != api.CodeDenied {
		t.Errorf("a wrong token: %v", err)
	}
	config = r.config("alice")
	config.Signer = r.keys["bob"]
	if _, err := api.Dial(within(t), config); wire(err) != api.CodeDenied {
		t.Errorf("a wrong key: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := api.Dial(ctx, r.config("alice")); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
}

func TestDialGivesUpOnAServerThatSaysNothing(t *testing.T) {
	dir := runDir(t)
	l, err := Listen(dir)
	must(t, err)
	defer l.Close()
	_, err = CreateToken(dir)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the connection
		if conn, err := l.Accept(); err == nil {
			cancel()
			conn.Read(make([]byte, 1))
		}
	}()
	config := api.Config{SocketPath: filepath.Join(dir, SocketFile), TokenPath: filepath.Join(dir, TokenFile)}
	if _, err := api.Dial(ctx, config); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestDialReadsTheTokenAnew(t *testing.T) {
	first := newRig(t)
	config := first.config("alice")
	second := newRig(t)
	other := second.config("alice")
	must(t, os.Rename(other.TokenPath, config.TokenPath)) // as a daemon that was started again
	config.SocketPath = other.SocketPath
	c, err := api.Dial(within(t), config)
	must(t, err)
	must(t, c.Close())
}

func TestClientErrorsCarryTheRule(t *testing.T) {
	r := newRig(t)
	c := r.dial("alice")
	_, err := c.CallTool(within(t), "denied", nil)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || *e != (api.Error{Code: api.CodeDenied, Message: "not yours", Rule: "Capsule.toml:3", DenialID: "d2"}) {
		t.Fatalf("got %#v", err)
	}
	for _, name := range []string{"", "a.b", "a b", strings.Repeat("x", 300)} {
		if _, err := c.CallTool(within(t), name, nil); err == nil {
			t.Errorf("called %q", name)
		}
	}
	if err := c.Request(within(t), "M", make(chan int), nil); err == nil {
		t.Error("a channel was sent")
	}
	if err := c.Admin(within(t), "agent.list", "AgentList", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestManyRequestsShareOneConnection(t *testing.T) {
	r := newRig(t)
	c := r.dial("alice")
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 20 {
				var reply struct {
					Params int `json:"params"`
				}
				if err := c.Request(t.Context(), "M", i, &reply); err != nil || reply.Params != i {
					t.Errorf("request %d got %d, %v", i, reply.Params, err)
				}
				want, err := json.Marshal(map[string]int{"i": i})
				must(t, err)
				got, err := c.CallTool(t.Context(), "echo", want)
				if err != nil || got.Content != string(want) {
					t.Errorf("call %d got %s, %v", i, got.Content, err)
				}
			}
		})
	}
	all.Wait()
}

func TestAWaitEndsWithItsContextOrTheConnection(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Request = func(context.Context, principal.ID, string, json.RawMessage) (any, error) {
			<-release
			return api.Empty{}, nil
		}
	})
	open := r.latch(release)
	c := r.dial("alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Request(ctx, "M", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- c.Request(context.Background(), "M", nil, nil) }() // ends with Close
	eventually(t, "the request runs", func() bool { return r.running() > 0 })
	must(t, c.Close())
	must(t, c.Close())
	if err := <-failed; !errors.Is(err, api.ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("a connection that is over: %v", err)
	}
	if err := c.Request(t.Context(), "M", nil, nil); !errors.Is(err, api.ErrClosed) {
		t.Errorf("after that: %v", err)
	}
	open()
}

func (r *rig) running() int {
	n := 0
	for _, c := range r.Server.connections() {
		n += len(c.requests)
	}
	return n
}

func TestEventsAreBoundedAndInOrder(t *testing.T) {
	r := newRig(t)
	c := r.dial("alice")
	events := c.Subscribe(func(topic string) bool { return strings.HasPrefix(topic, "agent.v1.") })
	quiet := c.Subscribe(func(string) bool { return true })
	defer quiet.Close()
	const sent = 3000
	for n := range sent {
		body, err := json.Marshal(n)
		must(t, err)
		_, err = r.Server.config.Bus.Publish(t.Context(), bus.Message{
			Topic: topic(t, "agent.v1.stream.delta"), Payload: body, From: bus.Verified(who(t, "alice")), Lane: bus.Stream,
		})
		must(t, err)
		if n%100 == 0 { // no more than the server's own queue holds
			must(t, c.Request(within(t), "M", nil, nil))
		}
	}
	var last, got int
	for last < sent-1 {
		m, err := events.Next(within(t))
		must(t, err)
		var n int
		must(t, json.Unmarshal(m.Payload, &n))
		if got > 0 && n <= last {
			t.Fatalf("%d came after %d", n, last)
		}
		last, got = n, got+1
	}
	if uint64(got)+events.Dropped() != sent {
		t.Errorf("%d came, %d were dropped, %d were sent", got, events.Dropped(), sent)
	}
	events.Close()
	events.Close()
	if _, err := events.Next(within(t)); !errors.Is(err, api.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestAClientSkipsWhatItCannotRead(t *testing.T) {
	dir := runDir(t)
	l, err := Listen(dir)
	must(t, err)
	defer l.Close()
	_, err = CreateToken(dir)
	must(t, err)
	done := make(chan error, 1)
	go func() { // plays a newer server; ends with its last write
		conn, err := l.Accept()
		if err == nil {
			_, err = api.ReadFrame(conn, api.MaxFrame)
		}
		for _, body := range []string{
			`{"status":"ok","protocol_version":1,"server_version":"9"}`, `garbage`, `{}`, `{"topic":"a","topic":"b","payload":1}`,
			`{"topic":"a.b","payload":{"x":1},"brand_new":true}`,
		} {
			err = errors.Join(err, api.WriteFrame(conn, []byte(body), api.MaxFrame))
		}
		done <- err
	}()
	c, err := api.Dial(within(t), api.Config{SocketPath: filepath.Join(dir, SocketFile), TokenPath: filepath.Join(dir, TokenFile)})
	must(t, err)
	defer c.Close()
	events := c.Subscribe(func(string) bool { return true })
	must(t, <-done)
	// The frame may have come before the subscription; then the connection is all there is to see.
	select {
	case <-c.Done():
		t.Fatal("the connection was given up")
	default:
	}
	events.Close()
}

func TestACallThatIsRefusedUnreadIsAnsweredToItsCaller(t *testing.T) {
	r := newRig(t)
	nobody := r.dial("")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var refused *api.Error
	if _, err := nobody.CallTool(ctx, "echo", nil); !errors.As(err, &refused) || refused.Code != api.CodeDenied {
		t.Errorf("a tool call of an anonymous connection: got %v, want a denial", err)
	}
}
