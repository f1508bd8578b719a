package uplink

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/principal"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func TestBothSidesSignTheSame(t *testing.T) {
	nonce := [principal.NonceBytes]byte{1, 2, 3}
	want := principal.AuthMessage(who(t, "alice"), nonce)
	if got := api.AuthMessage("alice", hexOf(nonce[:])); string(got) != string(want) {
		t.Fatalf("the client signs %q, the server verifies %q", got, want)
	}
}

func TestTokenAloneIsAnonymous(t *testing.T) {
	r := newRig(t)
	w := r.wire()
	if got := w.exchange(r.hello("")); got != (api.Welcome{Status: "ok", ProtocolVersion: 1, ServerVersion: "1.2.3"}) {
		t.Fatalf("welcomed with %+v", got)
	}
	w.frame(`{"topic":"astrid.v1.request.status","payload":{"type":"raw_json","method":"GetStatus"}}`)
	if _, e := w.refusal(); e.Code != api.CodeDenied || e.DenialID != "d1" {
		t.Errorf("a request of nobody: %+v", e)
	}
	w.frame(`{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"hi"}}`)
	if _, e := w.refusal(); e.Code != api.CodeDenied || !strings.Contains(e.Rule, "anonymous") {
		t.Errorf("a prompt of nobody: %+v", e)
	}
	if got := r.messages(); len(got) > 0 {
		t.Errorf("published %v", got)
	}
}

func TestHandshakesThatAreRefused(t *testing.T) {
	r := newRig(t)
	const failed = "authentication failed"
	for _, c := range []struct {
		rule, reason string
		change       func(*api.Hello)
	}{
		{"a wrong token", failed, func(h *api.Hello) { h.Token = strings.Repeat("0", 64) }},
		{"a malformed token", failed, func(h *api.Hello) { h.Token = "x" }},
		{"no token", failed, func(h *api.Hello) { h.Token = "" }},
		{"a token and more", failed, func(h *api.Hello) { h.Token += "0" }},
		{"a newer version", "Protocol version mismatch (client=2, server=1)", func(h *api.Hello) { h.ProtocolVersion = 2 }},
		{"no version", "Protocol version mismatch (client=0, server=1)", func(h *api.Hello) { h.ProtocolVersion = 0 }},
		{"the version before the token", "Protocol version mismatch", func(h *api.Hello) { h.ProtocolVersion, h.Token = 2, "x" }},
		{"a malformed principal", failed, func(h *api.Hello) { h.ClaimedPrincipal = "../alice" }},
		{"the reserved principal", failed, func(h *api.Hello) { h.ClaimedPrincipal = "anonymous" }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w, hello := r.wire(), r.hello("")
			c.change(&hello)
			got := w.exchange(hello)
			if got.Status != api.StatusError || !strings.HasPrefix(got.Reason, c.reason) || got.Challenge != "" {
				t.Fatalf("answered %+v", got)
			}
			w.gone()
		})
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	r := newRig(t)
	earlier := r.wire()
	old := earlier.exchange(r.hello("alice")).Challenge
	for _, c := range []struct {
		rule   string
		change func(h *api.Hello, challenge string)
	}{
		{"none", func(*api.Hello, string) {}},
		{"no hex", func(h *api.Hello, _ string) { h.Signature = "zz" }},
		{"another's key", func(h *api.Hello, nonce string) { h.Signature = sign(r.keys["bob"], "alice", nonce) }},
		{"made for another principal", func(h *api.Hello, nonce string) { h.Signature = sign(r.keys["alice"], "bob", nonce) }},
		{"made for another connection", func(h *api.Hello, _ string) { h.Signature = sign(r.keys["alice"], "alice", old) }},
		{"a change of principal", func(h *api.Hello, nonce string) {
			h.ClaimedPrincipal, h.Signature = "bob", sign(r.keys["bob"], "bob", nonce)
		}},
		{"a token that was right before", func(h *api.Hello, nonce string) {
			h.Token, h.Signature = "x", sign(r.keys["alice"], "alice", nonce)
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w, hello := r.wire(), r.hello("alice")
			challenge := w.exchange(hello).Challenge
			if len(challenge) != 64 || challenge == old {
				t.Fatalf("challenge %q", challenge)
			}
			c.change(&hello, challenge)
			if got := w.exchange(hello); got.Status != api.StatusError || got.Reason != "authentication failed" {
				t.Fatalf("answered %+v", got)
			}
			w.gone()
		})
	}
	t.Run("of a principal that nobody knows", func(t *testing.T) {
		w, hello := r.wire(), r.hello("mallory")
		hello.Signature = sign(r.keys["bob"], "mallory", w.exchange(hello).Challenge)
		if got := w.exchange(hello); got.Reason != "authentication failed" {
			t.Fatalf("answered %+v", got)
		}
	})
	if got := r.connections("alice") + r.connections("bob"); got != 0 {
		t.Errorf("%d connections were opened", got)
	}
}

func TestWhatIsNoHandshakeIsToldSo(t *testing.T) {
	r := newRig(t)
	for rule, bytes := range map[string][]byte{
		"garbage":            append(header(7), "garbage"...),
		"duplicate members":  frameOf(`{"token":"a","token":"b","protocol_version":1,"client_version":"x"}`),
		"an oversize frame":  append(header(4097), make([]byte, 4097)...),
		"a frame of 4 GiB":   header(0xffffffff),
		"no frame but bytes": []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		t.Run(rule, func(t *testing.T) {
			w := r.wire()
			if _, err := w.Write(bytes); err != nil {
				t.Fatal(err)
			}
			frame, err := api.ReadFrame(w, api.MaxFrame)
			if err != nil || !strings.Contains(string(frame), "not a handshake") {
				t.Fatalf("answered %s, %v", frame, err)
			}
		})
	}
	t.Run("half a frame", func(t *testing.T) {
		w := r.wire()
		w.Write(header(100))
		w.Close()
	})
	r.dial("alice") // and the server still serves
}

func TestAPeerThatIsSilentIsGivenUp(t *testing.T) {
	r := newRigWithin(t, limits{handshake: 20 * time.Millisecond, frame: 20 * time.Millisecond, write: patience})
	for rule, begin := range map[string]func(w wire){
		"before the handshake": func(wire) {},
		"in its first frame":   func(w wire) { w.Write(header(10)) },
		"before the proof":     func(w wire) { w.exchange(r.hello("alice")) },
	} {
		t.Run(rule, func(t *testing.T) {
			w := r.wire()
			begin(w)
			w.gone()
		})
	}
	t.Run("in a later frame", func(t *testing.T) {
		w := r.login("alice")
		w.Write(append(header(10), 'x'))
		w.gone()
	})
	t.Run("but not between frames", func(t *testing.T) {
		w := r.login("alice")
		time.Sleep(100 * time.Millisecond) // five times what a frame may take
		w.frame(`garbage`)
		w.refusal()
	})
}

func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	r := newRigWithin(t, limits{handshake: patience, frame: patience, write: 20 * time.Millisecond})
	w := r.login("alice")
	for range 3000 { // replies for more than the socket's buffers, less than the queue
		if _, err := w.Write(frameOf(`{"topic":"brand.new","payload":{}}`)); err != nil {
			break
		}
	}
	eventually(t, "the connection is closed", func() bool { return r.connections("alice") == 0 })
}

func frameOf(body string) []byte { return api.AppendFrame(nil, []byte(body)) }

func TestTooManyConnections(t *testing.T) {
	r := newRig(t)
	for range MaxConnections {
		r.login("alice")
	}
	w, hello := r.wire(), r.hello("bob")
	hello.Signature = sign(r.keys["bob"], "bob", w.exchange(hello).Challenge)
	if got := w.exchange(hello); got.Status != api.StatusError || got.Reason != fmt.Sprintf("too many connections, at most %d are served", MaxConnections) {
		t.Fatalf("answered %+v", got)
	}
}

func FuzzHandshake(f *testing.F) {
	r := newRig(f)
	hello, err := json.Marshal(r.hello("alice"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello, []byte(`{}`))
	f.Add([]byte(`{"protocol_version":1}`), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		w := connect(t, r.config("").SocketPath)
		w.Write(append(api.AppendFrame(nil, first), api.AppendFrame(nil, second)...))
		w.Close()
		if n := r.connections("alice"); n != 0 {
			t.Fatalf("%d connections without a signature", n)
		}
	})
}
