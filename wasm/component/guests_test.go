package component_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
	"github.com/astrid-go/astrid/wasm/component/wasi"
)

// guestWIT is what guests of all toolchains implement.
const guestWIT = `package test:guest@1.0.0;
interface shapes {
  record point { x: s32, y: s32, label: string }
  variant shape { dot(point), line(tuple<point, point>), nothing }
  resource canvas { constructor(name: string); draw: func(s: shape) -> result<u32, string>; }
}
world guest {
  import shapes;
  use shapes.{shape, point};
  export run: func(points: list<point>) -> result<list<shape>, string>;
  export chat: func(n: u32) -> string;
}`

type point struct {
	X, Y  int32
	Label string
}

type shapeCase uint8

func (shapeCase) WITCases() []string { return []string{"dot", "line", "nothing"} }

type shape struct {
	Case shapeCase                  `wit:",case"`
	Dot  point                      `wit:"dot"`
	Line canon.Tuple2[point, point] `wit:"line"`
}

// canvas counts what is alive and what was drawn.
type canvas struct{ stats *canvasStats }

type canvasStats struct{ alive, drawn int }

func (*canvas) WITResource() string        { return "canvas" }
func (c *canvas) Drop(ctx context.Context) { c.stats.alive-- }

func shapes(stats *canvasStats) canon.Interface {
	return canon.Interface{Name: "test:guest/shapes@1.0.0", Funcs: []canon.HostFunc{
		canon.Func1("[constructor]canvas", func(context.Context, string) canon.Own[*canvas] {
			stats.alive++
			return canon.Own[*canvas]{Value: &canvas{stats}}
		}),
		canon.Func2("[method]canvas.draw", func(_ context.Context, c canon.Borrow[*canvas], s shape) canon.Result[uint32, string] {
			if s.Case != 0 {
				return canon.Err[uint32]("only dots")
			}
			stats.drawn++
			return canon.Ok[uint32, string](uint32(stats.drawn))
		}),
	}}
}

// output is the Host of a guest whose output is looked at.
type output struct{ env wasi.Env }

func (o *output) WASI() *wasi.Env { return &o.env }

var (
	runExport  = canon.NewExport1[[]point, canon.Result[[]shape, string]]("run")
	chatExport = canon.NewExport1[uint32, string]("chat")
)

// built returns what build makes, from the last time if its inputs are the same.
func built(t *testing.T, build func(path string) error, inputs ...string) []byte {
	t.Helper()
	key := sha256.Sum256([]byte(strings.Join(inputs, "\x00")))
	path := filepath.Join(os.TempDir(), fmt.Sprintf("astrid-test-guest-%x.wasm", key[:8]))
	if wasm, err := os.ReadFile(path); err == nil {
		return wasm
	}
	partial := filepath.Join(t.TempDir(), "guest.wasm")
	if err := build(partial); err != nil {
		t.Skipf("guest cannot be built: %v", err)
	}
	wasm, err := os.ReadFile(partial)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, wasm, 0o644); err != nil {
		t.Log(err)
	}
	return wasm
}

const javascript = `
import { Canvas } from 'test:guest/shapes@1.0.0';
let n = 0;
export function run(points) {
  if (points.length === 0) throw 'no points';
  const c = new Canvas('c' + (n++));
  const out = points.map((p) => ({ tag: 'dot', val: { x: p.x + 1, y: p.y, label: p.label + '!' } }));
  for (const s of out) c.draw(s);
  c[Symbol.dispose]();
  return out;
}
export function chat(n) { console.log('hello', n); return String(Math.random() < 1 && Date.now() > 0 ? n : 0); }
`

// componentize builds a JavaScript guest, without the features named.
func componentize(t *testing.T, disabled []string) []byte {
	t.Helper()
	needToolchain(t)
	const program = `
import { componentize } from '@bytecodealliance/componentize-js';
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { source, wit, disabled } = JSON.parse(input);
const { component } = await componentize(source, { witWorld: wit, worldName: 'guest', disableFeatures: disabled });
process.stdout.write(JSON.stringify(Buffer.from(component).toString('base64')));`
	return built(t, func(path string) error {
		var encoded string
		runNode(t, program, map[string]any{"source": javascript, "wit": guestWIT, "disabled": disabled}, &encoded)
		wasm, err := base64.StdEncoding.DecodeString(encoded)
		return errors.Join(err, os.WriteFile(path, wasm, 0o644))
	}, append(disabled, program, javascript, guestWIT)...)
}

const python = `
import wit_world
from wit_world.imports import shapes
from componentize_py_types import Err

class WitWorld(wit_world.WitWorld):
    def run(self, points):
        if not points:
            raise Err("no points")
        with shapes.Canvas("py") as c:
            out = [shapes.Shape_Dot(shapes.Point(p.x + 1, p.y, p.label + "!")) for p in points]
            for s in out:
                c.draw(s)
            return out

    def chat(self, n):
        print("hello", n)
        return str(n)
`

func componentizePython(t *testing.T) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("componentize-py is not used in short tests")
	}
	return built(t, func(path string) error {
		venv := filepath.Join(os.TempDir(), "astrid-test-componentize-py")
		tool := filepath.Join(venv, "bin", "componentize-py")
		if _, err := os.Stat(tool); err != nil {
			if out, err := exec.Command("python3", "-m", "venv", venv).CombinedOutput(); err != nil {
				return &toolError{out, err}
			}
			if out, err := exec.Command(filepath.Join(venv, "bin", "pip"), "install", "-q", "componentize-py").CombinedOutput(); err != nil {
				return &toolError{out, err}
			}
		}
		dir := t.TempDir()
		err := errors.Join(os.WriteFile(filepath.Join(dir, "guest.wit"), []byte(guestWIT), 0o644),
			os.WriteFile(filepath.Join(dir, "app.py"), []byte(python), 0o644))
		if err != nil {
			return err
		}
		cmd := exec.Command(tool, "-d", "guest.wit", "-w", "guest", "componentize", "app", "-o", path)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return &toolError{out, err}
		}
		return nil
	}, python, guestWIT)
}

// skipUnderRace leaves out guests whose compilation takes minutes under the race
// detector; make test runs them without it.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("compiled for minutes under the race detector; runs without it")
	}
}

func TestJavaScriptGuest(t *testing.T) {
	skipUnderRace(t)
	testGuest(t, componentize(t, []string{"random", "stdio", "clocks", "http", "fetch-event"}), false)
}

func TestJavaScriptGuestWithWASI(t *testing.T) {
	skipUnderRace(t)
	testGuest(t, componentize(t, []string{"http", "fetch-event"}), true)
}

func TestPythonGuest(t *testing.T) {
	skipUnderRace(t)
	testGuest(t, componentizePython(t), true)
}

// testGuest runs a guest 1,000 times: it answers, lets go of its resources, and
// does not grow.
func testGuest(t *testing.T, wasm []byte, talks bool) {
	ctx, stats, host := context.Background(), &canvasStats{}, &output{}
	var stdout bytes.Buffer
	host.env.Stdout = &stdout
	in := startGuest(t, wasm, component.Host{Interfaces: []canon.Interface{shapes(stats)}}.And(wasi.Host()), host)
	run, err := in.Func("run")
	if err != nil {
		t.Fatal(err)
	}
	points := []point{{1, 2, "a"}, {3, 4, "é"}}
	var settled uint64
	for i := range 1000 {
		got, err := runExport.Call(ctx, run, points)
		if err != nil || got.IsErr || len(got.Value) != 2 || got.Value[1].Dot != (point{4, 4, "é!"}) {
			t.Fatalf("run %d: %+v, %v", i, got, err)
		}
		if i == 200 {
			settled = heap()
		}
	}
	if stats.drawn != 2000 || stats.alive > 1 {
		t.Fatalf("%d shapes were drawn, %d canvases are alive", stats.drawn, stats.alive)
	}
	if after := heap(); after > settled+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes", settled, after)
	}
	if got, err := runExport.Call(ctx, run, nil); err != nil || !got.IsErr || got.Err != "no points" {
		t.Fatalf("run of nothing: %+v, %v", got, err)
	}
	chat, err := in.Func("chat")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := chatExport.Call(ctx, chat, 7); err != nil || talks && got != "7" {
		t.Fatalf("chat: %q, %v", got, err)
	}
	if talks && stdout.String() != "hello 7\n" {
		t.Fatalf("the guest wrote %q", stdout.String())
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func startGuest(t *testing.T, wasm []byte, host component.Host, data any) *component.Instance {
	t.Helper()
	ctx := context.Background()
	// Shared libraries, which Python consists of, are linked by sums of globals.
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesExtendedConst))
	t.Cleanup(func() { r.Close(ctx) })
	c, err := component.Decode(wasm, component.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := component.NewPlan(ctx, component.NewEngine(r), c)
	if err != nil {
		t.Fatal(err)
	}
	program, err := plan.Link(host)
	if err != nil {
		t.Fatal(err)
	}
	in, err := program.Instantiate(ctx, component.Config{Host: data})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

const rust = `fn main() {
    println!("{} {}", std::env::args().count(), std::fs::read("/etc/passwd").is_err());
    println!("{}", std::net::TcpStream::connect("127.0.0.1:1").is_err());
    let m = std::collections::HashMap::from([(1, std::time::SystemTime::now() > std::time::UNIX_EPOCH)]);
    std::thread::sleep(std::time::Duration::from_millis(1));
    eprintln!("{:?}", m);
    std::process::exit(3);
}`

// A Rust program starts, finds that it has nothing, and exits.
func TestRustGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("rustc is not used in short tests")
	}
	wasm := built(t, func(path string) error {
		source := filepath.Join(t.TempDir(), "main.rs")
		if err := os.WriteFile(source, []byte(rust), 0o644); err != nil {
			return err
		}
		if out, err := exec.Command("rustc", "--target", "wasm32-wasip2", "-O", source, "-o", path).CombinedOutput(); err != nil {
			return &toolError{out, err}
		}
		return nil
	}, rust)
	host := &output{}
	var stdout, stderr bytes.Buffer
	host.env.Stdout, host.env.Stderr = &stdout, &stderr
	in := startGuest(t, wasm, wasi.Host(), host)
	run, err := in.Func("wasi:cli/run@0.2.0", "run")
	if err != nil {
		t.Fatal(err)
	}
	_, err = run.Call(context.Background())
	var exit *wasi.Exit
	if !errors.As(err, &exit) || exit.Code != 1 { // WASI 0.2 knows success and failure only
		t.Fatalf("run ended with %v, want exit code 1", err)
	}
	if got := stdout.String() + stderr.String(); got != "0 true\ntrue\n{1: true}\n" {
		t.Fatalf("the guest wrote %q", got)
	}
}
