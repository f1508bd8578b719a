package kernel

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/uplink"
)

// The topics of questions to a person, as clients of the protocol know them.
const (
	approvalTopic   = "astrid.v1.approval"
	approvalAnswers = "astrid.v1.approval.response."
)

// openSocket binds the socket and serves it. The token is written before the
// socket exists, so that whoever can connect can also read it.
func (k *Kernel) openSocket(context.Context) error {
	run := k.path("run")
	var err error
	if k.token, err = uplink.CreateToken(run); err != nil {
		return err
	}
	listener, err := uplink.Listen(run)
	if err != nil {
		return err
	}
	k.socket, err = uplink.New(uplink.Config{
		Bus: k.bus, Token: k.token, Version: k.cfg.Version, Logger: k.log,
		Verify: k.authenticate, Request: k.Request, Publish: k.fromClient,
		OnOpen: k.ConnectionOpened, OnClose: k.ConnectionClosed,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	answers, err := k.subscribeAnswers()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	k.background.Go(func() { k.takeAnswers(answers) }) // ends when the bus closes; release waits
	k.background.Go(func() {                           // ends with the socket's Shutdown; release waits
		if err := k.socket.Serve(listener); !errors.Is(err, uplink.ErrShutdown) {
			k.log.Error("the socket is gone; shutting down", "error", err)
			k.finish("the socket failed")
		}
	})
	return nil
}

// authenticate proves a principal by its signature over this connection's nonce.
// Why it failed is not told to the peer.
func (k *Kernel) authenticate(id principal.ID, nonce [principal.NonceBytes]byte, signature []byte) error {
	p, err := k.directory.Lookup(id)
	if err != nil {
		return err
	}
	if !p.Enabled || !principal.VerifySignature(p, principal.AuthMessage(id, nonce), signature) {
		return fmt.Errorf("signature does not prove principal %s", id)
	}
	return nil
}

// fromClient dispatches what a client published. Arguments of a tool are checked
// here, against the schema of its manifest, before anything runs.
func (k *Kernel) fromClient(ctx context.Context, m bus.Message) error {
	if name, ok := api.ToolOfTopic(m.Topic.String()); ok {
		if err := k.checkToolCall(name, m.Payload); err != nil {
			return err
		}
	}
	_, err := k.dispatcher.Publish(ctx, m)
	var guarded *dispatch.DeniedError
	switch {
	case errors.Is(err, bus.ErrFull):
		return nil // some subscriber is full; the message is out and handlers run
	case errors.As(err, &guarded):
		return wireError(err)
	case errors.Is(err, dispatch.ErrQueue):
		return &api.Error{Code: api.CodeRateLimited, Message: err.Error(), Hint: "wait for calls that run to end"}
	case errors.Is(err, dispatch.ErrClosed):
		return &api.Error{Code: api.CodeUnavailable, Message: "the daemon shuts down"}
	}
	return err
}

func (k *Kernel) checkToolCall(name string, payload []byte) error {
	var call api.ToolExecuteRequest
	if err := json.Unmarshal(payload, &call); err != nil {
		return &api.Error{Code: api.CodeInvalid, Message: "tool call: " + err.Error()}
	}
	catalogue := k.catalogue()
	if !catalogue.Has(name) && !k.ready.Load() {
		return &api.Error{Code: api.CodeUnavailable, Message: "the capsules are still being loaded", Hint: "try again in a moment"}
	}
	if !catalogue.Has(name) {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no loaded capsule has a tool %q", name),
			Hint: "see `astrid tool list`"}
	}
	if err := catalogue.ValidateArgs(name, call.Arguments); err != nil {
		return &api.Error{Code: api.CodeInvalid, Message: err.Error()}
	}
	return nil
}

func publicKey(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// notifier tells a principal's clients that a question is open. Whoever misses
// it finds the question in the inbox.
type notifier struct{ k *Kernel }

// Notify publishes the question to its principal alone.
func (n notifier) Notify(ctx context.Context, q approval.Question) {
	payload, err := json.Marshal(struct {
		Type string `json:"type"`
		api.ApprovalRequired
	}{"approval_required", api.ApprovalRequired{RequestID: q.ID, Action: q.Action, Resource: q.Resource, Reason: q.Reason}})
	if err == nil {
		err = n.k.publish(ctx, approvalTopic, q.Principal, payload)
	}
	if err != nil {
		n.k.log.Warn("tell clients of a question", "question", q.ID, "error", err)
	}
}

// publish sends a message of the kernel for a principal.
func (k *Kernel) publish(ctx context.Context, topic string, to principal.ID, payload []byte) error {
	t, err := bus.ParseTopic(topic)
	if err != nil {
		return err
	}
	from := bus.System()
	if !to.IsZero() {
		from = bus.Verified(to)
	}
	_, err = k.bus.PublishWith(ctx, bus.Message{Topic: t, Payload: payload, From: from, Source: k.cfg.SessionID},
		bus.PublishOptions{MaxPayload: bus.MaxPayload})
	return err
}

func (k *Kernel) subscribeAnswers() (*bus.Subscription, error) {
	pattern, err := bus.ParsePattern(approvalAnswers + "*")
	if err != nil {
		return nil, err
	}
	return k.bus.Subscribe(pattern, bus.SubscribeOptions{Name: "approval answers"})
}

// takeAnswers takes answers that clients publish as messages instead of
// requests. They pass the gate like the request does.
func (k *Kernel) takeAnswers(answers *bus.Subscription) {
	for {
		m, err := answers.Recv(context.Background())
		if err != nil {
			return
		}
		if !m.From.IsVerified() {
			continue // nobody, or only an uplink's word
		}
		var r api.ApprovalResponse
		err = json.Unmarshal(m.Payload, &r)
		if err == nil {
			var params []byte
			params, err = json.Marshal(api.ApprovalAnswer{
				ID: strings.TrimPrefix(m.Topic.String(), approvalAnswers), Decision: r.Decision, Reason: r.Reason,
			})
			if err == nil {
				_, err = k.Request(context.Background(), m.From.Principal(), api.MethodAnswerApproval, params)
			}
		}
		if err != nil {
			k.log.Warn("an answer by message was not taken", "topic", m.Topic, "principal", m.From.Principal(), "error", err)
		}
	}
}
