package component_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// jcoVersion is the version of the toolchain that assembles the tests' text.
const jcoVersion = "1.35.0"

// toolchain returns a directory with jco and componentize-js in node_modules.
// It installs them once per machine.
var toolchain = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(os.TempDir(), "astrid-test-jco-"+jcoVersion)
	if _, err := os.Stat(filepath.Join(dir, "installed")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--no-fund", "--no-audit", "--prefix", dir,
		"@bytecodealliance/jco@"+jcoVersion, "@bytecodealliance/componentize-js")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &toolError{out, err}
	}
	return dir, os.WriteFile(filepath.Join(dir, "installed"), nil, 0o644)
})

type toolError struct {
	out []byte
	err error
}

func (e *toolError) Error() string { return e.err.Error() + ": " + string(e.out) }

func needToolchain(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("jco is not used in short tests")
	}
	dir, err := toolchain()
	if err != nil {
		tb.Skipf("jco cannot be installed: %v", err)
	}
	return dir
}

// runNode runs a program in the toolchain's directory.
func runNode(tb testing.TB, program string, input any, output any) {
	tb.Helper()
	dir := needToolchain(tb)
	in, err := json.Marshal(input)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command("node", "--input-type=module", "--eval", program)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("node: %v\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, output); err != nil {
		tb.Fatalf("node's answer %.200q: %v", out, err)
	}
}

// assembler answers each text with its binary, or with its error. Validity is
// not checked: that is what is tested here.
const assembler = `
import { parse } from '@bytecodealliance/jco';
let input = '';
for await (const chunk of process.stdin) input += chunk;
const out = [];
for (const text of JSON.parse(input)) {
  try { out.push({ wasm: Buffer.from(await parse(text)).toString('base64') }); }
  catch (e) { out.push({ error: String(e.message ?? e) }); }
}
process.stdout.write(JSON.stringify(out));
`

// assemble returns the binary of each text.
func assemble(tb testing.TB, texts ...string) [][]byte {
	tb.Helper()
	var answers []struct{ Wasm, Error string }
	runNode(tb, assembler, texts, &answers)
	out := make([][]byte, len(texts))
	for i, a := range answers {
		if a.Error != "" {
			tb.Fatalf("assemble: %s\n%s", a.Error, texts[i])
		}
		wasm, err := base64.StdEncoding.DecodeString(a.Wasm)
		if err != nil {
			tb.Fatal(err)
		}
		out[i] = wasm
	}
	return out
}
