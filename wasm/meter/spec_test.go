package meter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/meter"
)

// TestSpecificationAgrees runs the WebAssembly specification's tests, as
// wazero's module carries them, on original and rewritten modules side by side:
// each must compile or be refused, return, and trap alike.
func TestSpecificationAgrees(t *testing.T) {
	dir := specDir(t)
	scripts, err := filepath.Glob(filepath.Join(dir, "v2", "testdata", "*.json"))
	if err != nil || len(scripts) == 0 {
		t.Skipf("no specification tests in %s", dir)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".json"), func(t *testing.T) {
			t.Parallel()
			runSpec(t, dir, script)
		})
	}
}

func specDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Skipf("the go tool cannot say where wazero's module is: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

type specCommand struct {
	Type       string     `json:"type"`
	Line       int        `json:"line"`
	Name       string     `json:"name"`
	As         string     `json:"as"`
	Filename   string     `json:"filename"`
	ModuleType string     `json:"module_type"`
	Action     specAction `json:"action"`
}

type specAction struct {
	Type   string      `json:"type"`
	Field  string      `json:"field"`
	Module string      `json:"module"`
	Args   []specValue `json:"args"`
}

type specValue struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"`
	Value json.RawMessage `json:"value"`
}

func runSpec(t *testing.T, dir, script string) {
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Commands []specCommand }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	plain, metered := newSpecSide(t, dir, false), newSpecSide(t, dir, true)
	for _, c := range doc.Commands {
		if c.ModuleType == "text" {
			continue
		}
		var bytes []byte
		if c.Filename != "" {
			if bytes, err = os.ReadFile(filepath.Join(filepath.Dir(script), c.Filename)); err != nil {
				t.Fatal(err)
			}
		}
		want, got := plain.do(c, bytes), metered.do(c, bytes)
		if want != got {
			t.Errorf("line %d: %s %s\n original: %s\nrewritten: %s", c.Line, c.Type, c.Action.Field, want, got)
		}
	}
}

// specSide is one of the two worlds in which a script is run.
type specSide struct {
	ctx     context.Context
	runtime wazero.Runtime
	meter   bool
	last    api.Module
	named   map[string]api.Module
}

func newSpecSide(t *testing.T, dir string, metered bool) *specSide {
	t.Helper()
	ctx := t.Context()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	if metered {
		instantiateRefill(t, r, func(int64) int64 { return 1000 })
	}
	s := &specSide{ctx: ctx, runtime: r, meter: metered, named: map[string]api.Module{}}
	bytes, err := os.ReadFile(filepath.Join(dir, "testdata", "spectest.wasm"))
	if err != nil {
		t.Skipf("no spectest module: %v", err)
	}
	if got := s.do(specCommand{Type: "module"}, bytes); got != "ok" {
		t.Fatal(got)
	}
	if got := s.do(specCommand{Type: "register", As: "spectest"}, nil); got != "ok" {
		t.Fatal(got)
	}
	return s
}

func instantiateRefill(t testing.TB, r wazero.Runtime, refill func(int64) int64) {
	t.Helper()
	_, err := r.NewHostModuleBuilder(meter.Module).NewFunctionBuilder().
		WithFunc(refill).Export(meter.Refill).Instantiate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// do carries out a command and says what came of it.
func (s *specSide) do(c specCommand, bytes []byte) string {
	switch c.Type {
	case "module", "assert_uninstantiable", "assert_unlinkable", "assert_invalid", "assert_malformed":
		mod, err := s.load(bytes)
		if err != nil {
			return outcome(c, err)
		}
		s.last = mod
		if c.Name != "" {
			s.named[c.Name] = mod
		}
		return "ok"
	case "register":
		mod := s.module(c.Name)
		if mod == nil {
			return "nothing to register"
		}
		s.named[c.As] = mod
		return "ok"
	case "action", "assert_return", "assert_trap", "assert_exhaustion":
		return s.act(c.Action)
	}
	return "unknown command " + c.Type
}

// outcome describes an error of loading: rewriting may find a fault sooner
// than compiling would, in other words.
func outcome(c specCommand, err error) string {
	if c.Type == "assert_invalid" || c.Type == "assert_malformed" {
		return "refused"
	}
	return firstLine(err)
}

func (s *specSide) module(name string) api.Module {
	if name == "" {
		return s.last
	}
	return s.named[name]
}

func (s *specSide) load(bytes []byte) (api.Module, error) {
	rename := func(name string) string { return name }
	if s.meter {
		var err error
		if bytes, err = meter.Rewrite(bytes, meter.Options{RenameImport: rename}); err != nil {
			return nil, err
		}
	}
	compiled, err := s.runtime.CompileModule(s.ctx, bytes)
	if err != nil {
		return nil, err
	}
	ctx := withResolver(s.ctx, func(name string) api.Module { return s.named[name] })
	return s.runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
}

func (s *specSide) act(a specAction) string {
	mod := s.module(a.Module)
	if mod == nil {
		return "no module"
	}
	if a.Type == "get" {
		if g := mod.ExportedGlobal(a.Field); g != nil {
			return fmt.Sprint(g.Get())
		}
		return "no such global"
	}
	f := mod.ExportedFunction(a.Field)
	if f == nil {
		return "no such function"
	}
	var stack []uint64
	for _, arg := range a.Args {
		stack = append(stack, arg.bits()...)
	}
	results := 0
	for _, r := range f.Definition().ResultTypes() {
		results++
		if r == 0x7b {
			results++
		}
	}
	stack = append(stack, make([]uint64, max(0, results-len(stack)))...)
	if err := f.CallWithStack(s.ctx, stack); err != nil {
		return firstLine(err)
	}
	for i, r := range f.Definition().ResultTypes() {
		if r == api.ValueTypeExternref || r == 0x70 {
			stack[i] = min(stack[i], 1) // an address in the host
		}
	}
	return fmt.Sprint(stack[:results])
}

func (v specValue) bits() []uint64 {
	if v.Type == "v128" {
		var lanes []string
		if json.Unmarshal(v.Value, &lanes) != nil {
			return []uint64{0, 0}
		}
		width := 128 / len(lanes)
		var halves [2]uint64
		for i, lane := range lanes {
			halves[i*width/64] |= number(lane) << (i * width % 64) & mask(i*width%64, width)
		}
		return halves[:]
	}
	var text string
	if json.Unmarshal(v.Value, &text) != nil || text == "null" {
		return []uint64{0}
	}
	return []uint64{number(text)}
}

func mask(from, width int) uint64 {
	if width == 64 {
		return ^uint64(0)
	}
	return (1<<width - 1) << from
}

func number(text string) uint64 {
	if strings.HasPrefix(text, "nan") {
		return 0x7ff8000000000000
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return uint64(n)
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if i := slices.Index(strings.Fields(line), "import"); i >= 0 {
		return "import error" // names the import by its position or by text that rewriting changes
	}
	return startIndex.ReplaceAllString(line, "start function")
}

var startIndex = regexp.MustCompile(`start function\[\d+\]`)
