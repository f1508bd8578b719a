package kernel_test

import (
	"strings"
	"testing"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/principal"
)

// TestHostileGuestHarmsNobodyElse lets a guest misbehave for one principal, and
// wants a clear error for it and the usual service for everybody else.
func TestHostileGuestHarmsNobodyElse(t *testing.T) {
	h := withProbe(t, everything)
	short := principal.NewProfile("agent")
	short.Capsules = []string{"*"}
	short.Quotas.MaxTimeoutSecs = 1
	hasty := h.dial("hasty", h.adopt("hasty", short))
	mallory, alice := h.agent("mallory"), h.agent("alice")

	for _, c := range []struct {
		how    string
		caller *client
		code   api.Code
		text   string
	}{
		{"trap", mallory, api.CodeError, "guest fault"},
		{"loop", hasty, api.CodeTimeout, "guest fault (deadline)"},
		{"grow", mallory, api.CodeError, "guest fault"},
		{"recurse", mallory, api.CodeError, "guest fault"},
	} {
		t.Run(c.how, func(t *testing.T) {
			failed := c.caller.refused("misbehave", map[string]string{"how": c.how})
			if failed.Code != c.code || !strings.Contains(failed.Message, "capsule probe: "+c.text) || strings.Contains(failed.Message, "\n") {
				t.Errorf("code %q, want %q: %s", failed.Code, c.code, failed.Message)
			}
			if got := alice.host(call{Fn: "kv-set", A: c.how, B: "fine"}); got.Code != "" {
				t.Errorf("another principal was harmed: %+v", got)
			}
			if r := c.caller.tool("misbehave", map[string]string{"how": "not at all"}); r.IsError || r.Content != "behaved" {
				t.Errorf("the next call gets no fresh instance: %+v", r)
			}
		})
	}
}

// TestGuardsAndObservers: a guard's no reaches the caller with the guard's name
// and words, and an observer sees what was published.
func TestGuardsAndObservers(t *testing.T) {
	h := withProbe(t, everything)
	h.load(folder(manifest("warden", `
[[interceptor]]
event = "tool.v1.execute.host"
action = "guard"
mode = "guard"
`), probe(t)), folder(manifest("watcher", `
[capabilities]
kv = true
[[interceptor]]
event = "note.v1.*"
action = "observe"
mode = "observer"
`), probe(t)))
	c := h.operator()
	refused := c.refused("host", call{Fn: "kv-set", A: "k", B: "forbidden"})
	if refused.Code != api.CodeDenied || !strings.Contains(refused.Error()+refused.Rule, "warden") || !strings.Contains(refused.Error(), "the word is forbidden") {
		t.Errorf("a guard's no: %+v", refused)
	}
	if got := c.host(call{Fn: "kv-get", A: "k"}); got.Value != nil {
		t.Errorf("the guarded call ran: %+v", got)
	}
	if got := c.host(call{Fn: "publish", A: "note.v1.seen", B: `{"n":1}`}); got.Code != "" {
		t.Fatalf("publish: %+v", got)
	}
	ns, err := h.kernel.KV().Namespace("default:capsule:watcher")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the observer sees the note", func() bool {
		text, found, err := ns.Get(t.Context(), "observed")
		return err == nil && found && strings.Contains(string(text), `"n":1`)
	})
}
