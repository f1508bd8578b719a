package kernel_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/kernel"
	"github.com/astrid-go/astrid/principal"
)

// scratch names the environment variable with the directory that all tests of a
// run share, and child processes with them: compiled code and the probe.
const scratch = "ASTRID_TEST_SCRATCH"

func TestMain(m *testing.M) {
	if os.Getenv(childHome) != "" {
		os.Exit(runChild())
	}
	dir, err := os.MkdirTemp("", "kernel")
	if err == nil {
		err = os.Setenv(scratch, dir)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString("a kernel that was shut down left goroutines: " + err.Error() + "\n")
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// buildProbe compiles testdata/probe once in a run.
var buildProbe = sync.OnceValues(func() ([]byte, error) {
	out := filepath.Join(os.Getenv(scratch), "probe.wasm")
	c := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w -buildid=", "-o", out, ".")
	c.Dir = filepath.Join("testdata", "probe")
	c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if text, err := c.CombinedOutput(); err != nil {
		return nil, errors.New(string(text) + err.Error())
	}
	return os.ReadFile(out)
})

// probe returns the test guest's code.
func probe(t testing.TB) []byte {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed, so the test guest cannot be built")
	}
	code, err := buildProbe()
	if err != nil {
		t.Fatalf("build the test guest: %v", err)
	}
	return code
}

// manifest is the probe's, named and followed by what a test adds.
func manifest(name, more string) string {
	return `[package]
name = "` + name + `"
version = "1.0.0"
[[component]]
id = "probe"
file = "probe.wasm"
type = "executable"
` + more
}

// tools is the part of a manifest that offers the probe's tools.
const tools = `
[[tool]]
name = "host"
input_schema = { type = "object", required = ["fn"], properties = { fn = { type = "string" } } }
[[tool]]
name = "misbehave"
input_schema = { type = "object", required = ["how"], properties = { how = { type = "string" } }, additionalProperties = false }
`

// folder is a capsule as it is installed from.
func folder(manifest string, code []byte) fs.FS {
	return fstest.MapFS{"Capsule.toml": {Data: []byte(manifest)}, "probe.wasm": {Data: code}}
}

// house is a home and a workspace, and the kernel that was booted on them.
type house struct {
	t               testing.TB
	home, workspace string
	kernel          *kernel.Kernel
}

// newHouse makes the directories. The home's path is short: a socket's may not
// be long.
func newHouse(t testing.TB) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &house{t: t, home: filepath.Join(dir, "h"), workspace: filepath.Join(dir, "w")}
	if err := os.Mkdir(h.workspace, 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) config() kernel.Config {
	return kernel.Config{
		Home: h.home, WorkspaceRoot: h.workspace, Version: "test", CacheDir: filepath.Join(os.Getenv(scratch), "cache"),
		Reachable: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Logger: slog.New(slog.DiscardHandler),
	}
}

// boot starts the kernel, which ends with the test.
func (h *house) boot() *house {
	h.t.Helper()
	k, err := kernel.New(h.t.Context(), h.config())
	if err != nil {
		h.t.Fatalf("boot: %v", err)
	}
	h.kernel = k
	h.t.Cleanup(func() {
		if err := shutDown(k); err != nil {
			h.t.Errorf("shutdown: %v", err)
		}
	})
	return h
}

func shutDown(k *kernel.Kernel) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return k.Shutdown(ctx, "test is over")
}

// bootError boots a kernel that must not start, and wants each of some texts in
// the error.
func (h *house) bootError(want ...string) error {
	h.t.Helper()
	k, err := kernel.New(h.t.Context(), h.config())
	if err == nil {
		h.t.Errorf("the kernel booted: %v", shutDown(k))
		return nil
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			h.t.Errorf("boot: %q lacks %q", err, text)
		}
	}
	return err
}

// load installs capsules and loads them.
func (h *house) load(capsules ...fs.FS) *house {
	h.t.Helper()
	for _, c := range capsules {
		if err := h.kernel.InstallCapsule(h.t.Context(), c); err != nil {
			h.t.Fatalf("install: %v", err)
		}
	}
	if err := h.kernel.LoadAllCapsules(h.t.Context()); err != nil {
		h.t.Fatalf("load: %v", err)
	}
	return h
}

// everything are grants for all that the probe can do in a workspace.
const everything = `
[capabilities]
fs_read = ["cwd://", "home://", "/tmp/"]
fs_write = ["cwd://", "home://", "/tmp/"]
kv = true
[publish]
"note.v1.*" = { wit = "opaque" }
`

// withProbe boots a kernel with the probe and the rights that it has.
func withProbe(t testing.TB, rights string) *house {
	t.Helper()
	code := probe(t)
	return newHouse(t).boot().load(folder(manifest("probe", rights+tools), code))
}

// adopt gives a principal a profile and a key, and returns the key.
func (h *house) adopt(name string, p principal.Profile) ed25519.PrivateKey {
	h.t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	p.Auth = principal.Auth{Methods: []string{"keypair"}, PublicKeys: []string{principal.FormatPublicKey(public)}}
	dir, err := principal.OpenDirectory(filepath.Join(h.home, "etc"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Create(named(h.t, name), p); err != nil {
		h.t.Fatal(err)
	}
	return key
}

func named(t testing.TB, name string) principal.ID {
	t.Helper()
	id, err := principal.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// operator connects as the local operator.
func (h *house) operator() *client {
	h.t.Helper()
	seed, err := os.ReadFile(filepath.Join(h.home, "keys", "default.key"))
	if err != nil {
		h.t.Fatal(err)
	}
	return h.dial("default", ed25519.NewKeyFromSeed(seed))
}

// agent adopts a principal that may do an agent's things with every capsule,
// and connects as it.
func (h *house) agent(name string) *client {
	h.t.Helper()
	p := principal.NewProfile("agent")
	p.Capsules = []string{"*"}
	return h.dial(name, h.adopt(name, p))
}

func (h *house) dialConfig(name string, key ed25519.PrivateKey) api.Config {
	return api.Config{
		SocketPath: filepath.Join(h.home, "run", "system.sock"), TokenPath: filepath.Join(h.home, "run", "system.token"),
		Principal: name, Signer: key, Version: "test",
	}
}

func (h *house) dial(name string, key ed25519.PrivateKey) *client {
	h.t.Helper()
	c, err := api.Dial(h.t.Context(), h.dialConfig(name, key))
	if err != nil {
		h.t.Fatalf("dial as %q: %v", name, err)
	}
	h.t.Cleanup(func() { c.Close() })
	return &client{h.t, c}
}

// client is a connection whose failures end the test.
type client struct {
	t testing.TB
	*api.Client
}

func (c *client) request(method string, params, reply any) {
	c.t.Helper()
	if err := c.Request(c.t.Context(), method, params, reply); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

// tool calls a tool that runs, well or not.
func (c *client) tool(name string, arguments any) api.ToolResult {
	c.t.Helper()
	raw, err := json.Marshal(arguments)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.CallTool(c.t.Context(), name, raw)
	if err != nil {
		c.t.Fatalf("tool %s %.200s: %v", name, raw, err)
	}
	return r
}

// refused calls a tool that is not to run to its end, and returns why.
func (c *client) refused(name string, arguments any) *api.Error {
	c.t.Helper()
	raw, err := json.Marshal(arguments)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.CallTool(c.t.Context(), name, raw)
	var wire *api.Error
	if !errors.As(err, &wire) {
		c.t.Fatalf("tool %s %.200s: answer %+v, error %v; want a refusal", name, raw, r, err)
	}
	return wire
}

// call are the arguments of the tool "host".
type call struct {
	Fn      string      `json:"fn"`
	A       string      `json:"a,omitempty"`
	B       string      `json:"b,omitempty"`
	C       string      `json:"c,omitempty"`
	N       uint64      `json:"n,omitempty"`
	Fill    int         `json:"fill,omitempty"`
	Headers [][2]string `json:"headers,omitempty"`
}

// outcome is what a host function came to, seen by the guest.
type outcome struct {
	Value any    `json:"value"`
	Code  string `json:"code"`
	Text  string `json:"text"`
}

// host calls a host function by way of the probe.
func (c *client) host(a call) outcome {
	c.t.Helper()
	r := c.tool("host", a)
	if r.IsError {
		c.t.Fatalf("%+v: %s", a, r.Content)
	}
	var o outcome
	if err := json.Unmarshal([]byte(r.Content), &o); err != nil {
		c.t.Fatal(err)
	}
	return o
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
