package kernel_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/kernel"
	"github.com/astrid-go/astrid/principal"
)

// TestBadCapsulesAreListedWithTheirReason installs capsules that cannot run
// beside one that can, which is to serve.
func TestBadCapsulesAreListedWithTheirReason(t *testing.T) {
	code := probe(t)
	random := bytes.Repeat([]byte("\x7fnot wasm"), 100)
	component := append([]byte("\x00asm\x0d\x00\x01\x00"), code[8:]...)
	h := newHouse(t).boot()
	h.load(folder(manifest("probe", everything+tools), code))

	for name, c := range map[string]struct {
		code []byte
		want string
	}{
		"truncated": {code[:len(code)/2], "not a valid module"},
		"random":    {random, "not a valid module"},
		"empty":     {nil, ""},
		"header":    {code[:8], noHook},
		"component": {component, "component"},
	} {
		// What cannot be installed is refused with a reason; what can is listed.
		if err := h.kernel.InstallCapsule(t.Context(), folder(manifest(name, ""), c.code)); err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("install of %s: %v", name, err)
			}
			continue
		}
		h.load()
		h.failed(name, c.want)
	}

	installed := filepath.Join(h.home, "home", "default", ".local", "capsules")
	workspace := filepath.Join(h.workspace, ".astrid", "capsules")
	write(t, filepath.Join(workspace, "corrupt", "Capsule.toml"), []byte("[package\nname = "))
	write(t, filepath.Join(workspace, "typo", "Capsule.toml"), []byte(manifest("typo", "[capabilities]\nfs_raed = [\".\"]\n")))
	write(t, filepath.Join(workspace, "typo", "probe.wasm"), code)
	for name, target := range map[string]string{"loop": "loop", "away": filepath.Dir(h.home)} {
		if err := os.Symlink(target, filepath.Join(workspace, name)); err != nil {
			t.Fatal(err)
		}
	}
	mismatched := filepath.Join(installed, "mismatched")
	if err := os.CopyFS(mismatched, os.DirFS(filepath.Join(installed, "probe"))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(mismatched, "Capsule.toml"), []byte(manifest("mismatched", "")))
	write(t, filepath.Join(mismatched, "meta.json"), []byte(`{"wasm_hash":"`+strings.Repeat("ab", 32)+`"}`))
	h.load()
	h.failed("corrupt", "Capsule.toml")
	h.failed("typo", "fs_raed")
	h.failed("mismatched", "")
	h.failed("loop", "")
	h.failed("away", "")
	if got := h.operator().host(call{Fn: "kv-set", A: "k", B: "v"}); got.Code != "" {
		t.Errorf("the good capsule does not serve: %+v", got)
	}
}

// noHook is what the wasm file of a capsule lacks if it is no capsule.
const noHook = "exports no astrid-hook-trigger"

// failed wants a capsule listed as failed, with words in its reason.
func (h *house) failed(name, reason string) {
	h.t.Helper()
	e, known := h.kernel.Capsules().Get(name)
	if !known || e.State != capsule.Failed || e.Reason == "" || !strings.Contains(e.Reason, reason) {
		h.t.Errorf("capsule %s: known %v, state %q, reason %q; want %q", name, known, e.State, e.Reason, reason)
	}
}

// TestInstallRefuses what it cannot copy whole, and leaves nothing of it.
func TestInstallRefuses(t *testing.T) {
	h := newHouse(t).boot()
	code := []byte("\x00asm\x01\x00\x00\x00")
	for name, files := range map[string]fs.FS{
		"no manifest":        os.DirFS(t.TempDir()),
		"a corrupt manifest": folder("[package", code),
		"no wasm file":       folder(strings.Replace(manifest("a", ""), "probe.wasm", "other.wasm", 1), code),
		"a file outside":     folder(strings.Replace(manifest("a", ""), "probe.wasm", "../other.wasm", 1), code),
		"too large a file":   folder(manifest("a", ""), make([]byte, capsule.MaxWasmBytes+1)),
	} {
		if err := h.kernel.InstallCapsule(t.Context(), files); err == nil {
			t.Errorf("%s is installed", name)
		}
	}
	if none, err := h.kernel.HasNoCapsules(); !none || err != nil {
		t.Errorf("refused installations left something: %v, %v", none, err)
	}
	if err := h.kernel.InstallCapsule(t.Context(), folder(manifest("a", ""), code)); err != nil {
		t.Fatal(err)
	}
	if err := h.kernel.InstallCapsule(t.Context(), folder(manifest("a", ""), code)); codeOf(err) != api.CodeConflict {
		t.Errorf("installed twice: %v", err)
	}
}

// TestCatalogue: the tools are the manifest's, in one order, the same on the
// wire and in the store, and arguments are held against their schema.
func TestCatalogue(t *testing.T) {
	h := withProbe(t, everything)
	c := h.operator()
	var list, again api.ToolList
	c.request(api.MethodListTools, nil, &list)
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	if !slices.Equal(names, []string{"host", "misbehave"}) {
		t.Errorf("tools %v", names)
	}
	ns, err := h.kernel.KV().Namespace("default:capsule:probe")
	if err != nil {
		t.Fatal(err)
	}
	stored, found, err := ns.Get(t.Context(), "__tool_schema_cache")
	if err != nil || !found {
		t.Fatalf("the capsule's copy of the catalogue: %v, %v", found, err)
	}
	if err := json.Unmarshal(stored, &again); err != nil || len(again.Tools) != len(list.Tools) {
		t.Errorf("the capsule's copy is %s, %v", stored, err)
	}
	for arguments, want := range map[string]api.Code{
		`{"how":1}`: api.CodeInvalid, `{}`: api.CodeInvalid, `{"how":"x","more":1}`: api.CodeInvalid, `[]`: api.CodeInvalid,
	} {
		if _, err := c.CallTool(t.Context(), "misbehave", json.RawMessage(arguments)); codeOf(err) != want {
			t.Errorf("arguments %s: %v", arguments, err)
		}
	}
	if _, err := c.CallTool(t.Context(), "no_such_tool", json.RawMessage(`{}`)); codeOf(err) != api.CodeNotFound {
		t.Errorf("an unknown tool: %v", err)
	}
}

// TestToolsNeedAccessToTheirCapsule: the capsule's name has to be in the
// profile.
func TestToolsNeedAccessToTheirCapsule(t *testing.T) {
	h := withProbe(t, everything)
	c := h.dial("alice", h.adopt("alice", principal.NewProfile("agent")))
	if refused := c.refused("host", call{Fn: "clock-ms"}); refused.Code != api.CodeDenied || refused.Rule == "" {
		t.Errorf("a tool without access: %+v", refused)
	}
}

// TestConnectionsAreCounted: closes beyond opens change nothing, the last close
// of a principal ends its session's allowances alone, and an ephemeral kernel
// is done when the last client of all has left.
func TestConnectionsAreCounted(t *testing.T) {
	h := withProbe(t, everything)
	alice, bob := h.agent("alice"), h.agent("bob")
	seed := func(c *client) { c.asked("prod", "approve_session") }
	seed(alice)
	seed(bob)
	id := named(t, "alice")
	h.kernel.ConnectionOpened(id)
	h.kernel.ConnectionClosed(id) // not the last one
	if got := alice.asked("prod", "deny"); got.Value != 4.0 {
		t.Errorf("the allowance ended with a connection that was not the last: %+v", got)
	}
	h.kernel.ConnectionClosed(id) // the last one
	if got := alice.asked("prod", "deny"); got.Value != 0.0 {
		t.Errorf("alice's allowance outlives her last connection: %+v", got)
	}
	if got := bob.asked("prod", "deny"); got.Value != 4.0 {
		t.Errorf("bob's allowance ended with alice's connection: %+v", got)
	}
	for range 3 {
		h.kernel.ConnectionClosed(id)
	}
	if n, by := h.kernel.TotalConnectionCount(), h.kernel.ConnectionsByPrincipal(); n != 1 || by[id] != 0 || by[named(t, "bob")] != 1 {
		t.Errorf("%d connections, %v", n, by)
	}
	h.isEphemeral(h.kernel, bob)
}

func (h *house) isEphemeral(k *kernel.Kernel, last *client) {
	h.t.Helper()
	if k.SetEphemeral(true); !k.Ephemeral() || k.Reason() != "" {
		h.t.Errorf("ephemeral %v, done already: %q", k.Ephemeral(), k.Reason())
	}
	last.Close()
	<-k.Done()
	if k.Reason() != "last client left" {
		h.t.Errorf("done because %q", k.Reason())
	}
}
