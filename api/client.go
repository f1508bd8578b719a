package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	strict "github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// ErrClosed is wrapped by what a Client returns after Close or after its
// connection was lost. It is net.ErrClosed too.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "the connection to the daemon is closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// writeTimeout is how long the daemon may take to accept a frame; a kernel
// buffer that is full for longer means that it hangs.
const writeTimeout = 5 * time.Second

// Client is a connection to the daemon. It is safe for concurrent use: requests
// and calls run side by side over one connection. Close it.
type Client struct {
	conn   net.Conn
	source string
	reader sync.WaitGroup // the goroutine of read

	// sending is held by who writes a frame; a channel, so that waiting for it
	// ends with the context.
	sending chan struct{}

	mu      sync.Mutex // guards what follows
	waiting map[string]chan Message
	events  map[*Events]struct{}
	lost    error         // set once the connection is over
	done    chan struct{} // closed then
}

// newClient takes a connection after the handshake and starts the reader, which
// ends when the connection does; Close waits for it.
func newClient(conn net.Conn) *Client {
	c := &Client{
		conn: conn, source: uuid.NewString(), sending: make(chan struct{}, 1),
		waiting: map[string]chan Message{}, events: map[*Events]struct{}{}, done: make(chan struct{}),
	}
	c.reader.Go(c.read)
	return c
}

// Close ends the connection and everything that waits on it. It is safe twice.
func (c *Client) Close() error {
	err := c.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	c.reader.Wait()
	return err
}

// Done is closed when the connection is over, by Close or by the other side.
func (c *Client) Done() <-chan struct{} { return c.done }

// Publish sends one message. That it was refused comes later, as an event on
// astrid.v1.response.error or on the topic where its answer was due.
func (c *Client) Publish(ctx context.Context, topic string, p Payload) error {
	payload, err := EncodePayload(p)
	if err != nil {
		return fmt.Errorf("publish %s: %w", topic, err)
	}
	body, err := EncodeMessage(Message{Topic: topic, Payload: payload, SourceID: c.source})
	if err != nil {
		return fmt.Errorf("publish %s: %w", topic, err)
	}
	if err := c.send(ctx, body); err != nil {
		return fmt.Errorf("publish %s: %w", topic, err)
	}
	return nil
}

// send writes one frame. A write that fails half-way ends the connection, as the
// other side could not find the next frame.
func (c *Client) send(ctx context.Context, body []byte) error {
	if len(body) > MaxFrame {
		return errorf(CodeTooLarge, "frame of %d bytes, at most %d are allowed", len(body), MaxFrame)
	}
	select {
	case c.sending <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.done:
		return c.ended()
	}
	defer func() { <-c.sending }()
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return errors.Join(ErrClosed, err)
	}
	if err := WriteFrame(c.conn, body, MaxFrame); err != nil {
		return errors.Join(ErrClosed, err, c.conn.Close())
	}
	return nil
}

func (c *Client) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Request sends a kernel request and decodes the data of its reply into reply,
// which may be nil. A refusal is an *Error.
func (c *Client) Request(ctx context.Context, method string, params, reply any) error {
	id := uuid.NewString()
	return c.request(ctx, TopicRequest+requestSuffix(method)+"."+id, Request{RequestID: id, Method: method}, params, reply)
}

// Admin sends a request to astrid.v1.admin.<suffix> and decodes the data of its
// reply into reply, which may be nil. A refusal is an *Error.
func (c *Client) Admin(ctx context.Context, suffix, method string, params, reply any) error {
	id := uuid.NewString()
	return c.request(ctx, TopicAdmin+suffix+"."+id, Request{RequestID: id, Method: method}, params, reply)
}

func (c *Client) request(ctx context.Context, topic string, r Request, params, reply any) error {
	if params != nil {
		raw, err := strict.Marshal(params)
		if err != nil {
			return errorf(CodeUsage, "%s: params: %s", r.Method, reason(err))
		}
		r.Params = raw
	}
	body, err := strict.Marshal(r)
	if err != nil {
		return errorf(CodeUsage, "%s: %s", r.Method, reason(err))
	}
	answerOn, ok := ReplyTopic(topic)
	if !ok {
		return errorf(CodeUsage, "%s: topic %s takes no requests", r.Method, topic)
	}
	m, err := c.ask(ctx, answerOn, topic, RawJSON{Object: body})
	if err != nil {
		return fmt.Errorf("%s: %w", r.Method, err)
	}
	return decodeReply(r.Method, m, reply)
}

func decodeReply(method string, m Message, into any) error {
	var r Reply
	if err := strict.Unmarshal(m.Payload, &r); err != nil {
		return fmt.Errorf("%s: the daemon's reply: %w", method, err)
	}
	if r.Status == ReplyStatusError {
		return failureOf(r)
	}
	if into == nil || len(r.Data) == 0 {
		return nil
	}
	if err := strict.Unmarshal(r.Data, into); err != nil {
		return fmt.Errorf("%s: the daemon's reply: %w", method, err)
	}
	return nil
}

// failureOf returns the error of a reply, also of a peer that sends a text only.
func failureOf(r Reply) *Error {
	if r.Failure != nil {
		if !r.Failure.Code.Known() || r.Failure.Code == CodeOK {
			r.Failure.Code = CodeError
		}
		return r.Failure
	}
	var text string
	if strict.Unmarshal(r.Data, &text) != nil {
		text = string(r.Data)
	}
	return &Error{Code: CodeError, Message: text}
}

// CallTool calls a tool with a JSON object of arguments and waits for its result.
// That the tool failed is in the result; that it was not run is an *Error.
func (c *Client) CallTool(ctx context.Context, name string, arguments json.RawMessage) (ToolResult, error) {
	if _, ok := ToolOfTopic(ToolTopic(name)); !ok {
		return ToolResult{}, errorf(CodeUsage, "%q is not the name of a tool", clip(name))
	}
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	id := uuid.NewString()
	m, err := c.ask(ctx, callKey(id), ToolTopic(name), ToolExecuteRequest{
		CallID: id, ToolName: name, Arguments: []byte(arguments),
	})
	if err != nil {
		return ToolResult{CallID: id}, fmt.Errorf("call tool %s: %w", name, err)
	}
	p, err := decodeAs[ToolExecuteResult](m.Payload)
	if err != nil {
		return ToolResult{CallID: id}, fmt.Errorf("call tool %s: %w", name, err)
	}
	answer := p.(ToolExecuteResult)
	if answer.Error != nil {
		return ToolResult{CallID: id}, failureOf(Reply{Failure: answer.Error})
	}
	answer.Result.CallID = id
	return answer.Result, nil
}

// callKey is where the result of a call is awaited; it is no topic.
func callKey(id string) string { return "call " + id }

// ask publishes and waits for the message that is delivered under key.
func (c *Client) ask(ctx context.Context, key, topic string, p Payload) (Message, error) {
	if !validTopic(topic) {
		return Message{}, errorf(CodeUsage, "%q is not a valid topic", clip(topic))
	}
	answer := make(chan Message, 1)
	c.mu.Lock()
	if c.lost != nil {
		c.mu.Unlock()
		return Message{}, c.lost
	}
	c.waiting[key] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, key)
		c.mu.Unlock()
	}()
	if err := c.Publish(ctx, topic, p); err != nil {
		return Message{}, err
	}
	select {
	case m := <-answer:
		return m, nil
	case <-ctx.Done():
		return Message{}, fmt.Errorf("no answer: %w", context.Cause(ctx))
	case <-c.done:
	}
	select {
	case m := <-answer: // it came before the connection ended
		return m, nil
	default:
		return Message{}, c.ended()
	}
}

// requestSuffix is the name of a method in its topic: the names that clients of
// the protocol use, and snake_case for the others.
func requestSuffix(method string) string {
	switch method {
	case MethodGetStatus:
		return "status"
	case MethodGetCapsuleMetadata:
		return "metadata"
	}
	var b strings.Builder
	for i, r := range method {
		if 'A' <= r && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
