package kernel_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/principal"
)

// agentMay are the methods that the group agent allows: one's own things.
func agentMay() []string {
	return []string{
		api.MethodListCapsules, api.MethodGetCommands, api.MethodGetCapsuleMetadata, api.MethodReloadCapsules,
		api.MethodListTools, api.MethodListChanges, api.MethodCommitChanges, api.MethodRollbackChanges,
		api.MethodTailAudit, api.MethodExplain, api.MethodListApprovals, api.MethodAnswerApproval,
	}
}

// params are what each method is tried with: harmless where it is allowed.
func params() map[string]any {
	return map[string]any{
		api.MethodGetStatus: nil, api.MethodListCapsules: nil, api.MethodGetCommands: nil,
		api.MethodGetCapsuleMetadata: nil, api.MethodReloadCapsules: nil, api.MethodListTools: nil,
		api.MethodListChanges: nil, api.MethodCommitChanges: nil, api.MethodRollbackChanges: nil,
		api.MethodTailAudit: nil, api.MethodVerifyAudit: nil, api.MethodExplain: api.ExplainQuery{Call: "none"},
		api.MethodListApprovals:  nil,
		api.MethodAnswerApproval: api.ApprovalAnswer{ID: "none", Decision: "deny"},
		api.MethodInstallCapsule: api.InstallParams{Source: "/nonexistent"},
		api.MethodShutdown:       nil,
	}
}

// TestWhoMayDoWhat tries every method as everybody. A denial names the rule;
// anything else than a denial means that the method ran.
func TestWhoMayDoWhat(t *testing.T) {
	h := newHouse(t).boot()
	disabled := principal.NewProfile("admin")
	disabled.Enabled = false
	h.adopt("disabled", disabled)
	h.adopt("restricted", principal.NewProfile("restricted"))
	h.adopt("agent", principal.NewProfile("agent"))
	revoked := principal.NewProfile("admin")
	revoked.Revokes = []string{"*"}
	h.adopt("revoked", revoked)

	all := slices.Sorted(maps.Keys(params()))
	for who, may := range map[string][]string{
		"default": all, "agent": agentMay(), "restricted": nil, "disabled": nil, "revoked": nil, "unknown": nil,
	} {
		for _, method := range all {
			h.try(named(t, who), method, slices.Contains(may, method))
		}
	}
	for _, method := range all {
		h.try(principal.Anonymous(), method, false)
		h.try(principal.ID{}, method, false)
	}
	if h.kernel.Reason() == "" {
		t.Error("the operator's Shutdown did nothing")
	}
	_, err := h.kernel.Request(t.Context(), principal.Default(), "NoSuchMethod", nil)
	if code := codeOf(err); code != api.CodeInvalid {
		t.Errorf("an unknown method: %q", code)
	}
}

func (h *house) try(who principal.ID, method string, allowed bool) {
	h.t.Helper()
	var raw json.RawMessage
	if p := params()[method]; p != nil {
		raw, _ = json.Marshal(p)
	}
	_, err := h.kernel.Request(h.t.Context(), who, method, raw)
	var wire *api.Error
	if err != nil && !errors.As(err, &wire) {
		h.t.Fatalf("%s as %q: %v is no *api.Error", method, who, err)
	}
	denied := wire != nil && wire.Code == api.CodeDenied
	if denied == allowed {
		h.t.Errorf("%s as %q: %v, want allowed %v", method, who, err, allowed)
	}
	if denied && (wire.Rule == "" || wire.DenialID == "") {
		h.t.Errorf("%s as %q: a denial without rule or id: %+v", method, who, wire)
	}
}

func codeOf(err error) api.Code {
	var wire *api.Error
	if !errors.As(err, &wire) {
		return ""
	}
	return wire.Code
}

// TestParamsAreStrict: what a method does not know is no detail to pass over.
func TestParamsAreStrict(t *testing.T) {
	h := newHouse(t).boot()
	for _, raw := range []string{`{"paths":["a"],"pahts":[]}`, `{"diff":true,"diff":false}`, `[]`, `{"paths":"a"}`, `{"paths":["../x"]}`} {
		_, err := h.kernel.Request(t.Context(), principal.Default(), api.MethodListChanges, json.RawMessage(raw))
		if codeOf(err) != api.CodeInvalid {
			t.Errorf("params %s: %v", raw, err)
		}
	}
}

// TestTwoPrincipalsSeeNothingOfEachOther: files, keys, changes, records,
// denials, questions and results of one are not the other's.
func TestTwoPrincipalsSeeNothingOfEachOther(t *testing.T) {
	h := withProbe(t, everything)
	alice, bob := h.agent("alice"), h.agent("bob")
	results := bob.Subscribe(func(string) bool { return true })
	defer results.Close()

	for _, c := range []call{
		{Fn: "write-file", A: "secret.txt", B: "alice's"}, {Fn: "kv-set", A: "secret", B: "alice's"},
		{Fn: "write-file", A: "home://secret.txt", B: "alice's"}, {Fn: "write-file", A: "/tmp/secret.txt", B: "alice's"},
	} {
		if got := alice.host(c); got.Code != "" {
			t.Fatalf("%+v: %+v", c, got)
		}
	}
	denied := alice.tool("host", call{Fn: "publish", A: "other.v1.topic", B: "{}"})
	for _, path := range []string{"secret.txt", "home://secret.txt", "/tmp/secret.txt"} {
		if got := bob.host(call{Fn: "read-file", A: path}); got.Code != "not-found" {
			t.Errorf("bob reads %s: %+v", path, got)
		}
	}
	if got := bob.host(call{Fn: "kv-get", A: "secret"}); got.Value != nil {
		t.Errorf("bob reads alice's key: %+v", got)
	}
	var changes api.ChangeSet
	if bob.request(api.MethodListChanges, nil, &changes); len(changes.Changes) != 0 {
		t.Errorf("bob sees alice's changes: %+v", changes)
	}
	if alice.request(api.MethodListChanges, nil, &changes); len(changes.Changes) != 1 || changes.Changes[0].Path != "secret.txt" {
		t.Errorf("alice's changes: %+v", changes)
	}
	h.recordsAreApart(alice, bob, denied.CallID)
	h.questionsAreApart(alice, bob)
	go bob.CallTool(t.Context(), "host", []byte(`{"fn":"request-approval","a":"end","b":"end"}`)) // ends with the connection
	for {
		m, err := results.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(m.Payload), "alice") {
			t.Errorf("bob is sent %s %s", m.Topic, m.Payload)
		}
		if strings.Contains(string(m.Payload), `"end"`) {
			return // what was published before has arrived
		}
	}
}

func (h *house) recordsAreApart(alice, bob *client, call string) {
	h.t.Helper()
	var why api.Explanation
	alice.request(api.MethodExplain, api.ExplainQuery{Call: call}, &why)
	if len(why.Denials) != 1 || why.Denials[0].Code != "not_granted" {
		h.t.Fatalf("alice's denial: %+v", why)
	}
	id := why.Denials[0].ID
	if bob.request(api.MethodExplain, api.ExplainQuery{Call: call}, &why); len(why.Denials) != 0 {
		h.t.Errorf("bob is told why alice was denied: %+v", why)
	}
	if err := bob.Request(h.t.Context(), api.MethodExplain, api.ExplainQuery{ID: id}, nil); codeOf(err) != api.CodeNotFound {
		h.t.Errorf("bob asks for alice's denial: %v", err)
	}
	var tail api.AuditRecords
	bob.request(api.MethodTailAudit, api.AuditQuery{Limit: 1000}, &tail)
	for _, r := range tail.Records {
		if r.Principal != "bob" {
			h.t.Errorf("bob sees a record of %q", r.Principal)
		}
	}
}

// questionsAreApart has alice asked something that bob neither sees nor answers.
func (h *house) questionsAreApart(alice, bob *client) {
	h.t.Helper()
	asked := alice.Subscribe(func(topic string) bool { return topic == "astrid.v1.approval" })
	defer asked.Close()
	got := make(chan outcome, 1)
	go func() { got <- alice.host(call{Fn: "request-approval", A: "deploy", B: "alice-prod"}) }() // waited for below
	if _, err := asked.Next(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	var list api.ApprovalList
	if bob.request(api.MethodListApprovals, nil, &list); len(list.Approvals) != 0 {
		h.t.Errorf("bob sees alice's question: %+v", list)
	}
	alice.request(api.MethodListApprovals, nil, &list)
	if len(list.Approvals) != 1 {
		h.t.Fatalf("alice's questions: %+v", list)
	}
	answer := api.ApprovalAnswer{ID: list.Approvals[0].ID, Decision: "approve"}
	if err := bob.Request(h.t.Context(), api.MethodAnswerApproval, answer, nil); codeOf(err) != api.CodeNotFound {
		h.t.Errorf("bob answers for alice: %v", err)
	}
	alice.request(api.MethodAnswerApproval, answer, nil)
	if o := <-got; o.Value != 1.0 {
		h.t.Errorf("alice's answer: %+v", o)
	}
}

// TestWorkspaceStaysUntouchedUntilCommit follows one change from the guest to
// the disk.
func TestWorkspaceStaysUntouchedUntilCommit(t *testing.T) {
	h := withProbe(t, everything)
	c := h.operator()
	c.host(call{Fn: "write-file", A: "a.txt", B: "a"})
	c.host(call{Fn: "write-file", A: "b.txt", B: "b"})
	if entries, _ := os.ReadDir(h.workspace); len(entries) != 0 {
		t.Errorf("before the commit: %v", entries)
	}
	c.request(api.MethodCommitChanges, api.Paths{Paths: []string{"a.txt"}}, nil)
	c.request(api.MethodRollbackChanges, nil, nil)
	entries, _ := os.ReadDir(h.workspace)
	if len(entries) != 1 || entries[0].Name() != "a.txt" {
		t.Errorf("after the commit of a.txt: %v", entries)
	}
	err := c.Request(t.Context(), api.MethodCommitChanges, api.Paths{Paths: []string{"b.txt"}}, nil)
	if codeOf(err) != api.CodeNotFound {
		t.Errorf("commit of nothing: %v", err)
	}
}
