//go:build wasip1

package main

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/approval"
	"github.com/astrid-go/astrid/sdk/fs"
	"github.com/astrid-go/astrid/sdk/http"
	"github.com/astrid-go/astrid/sdk/internal/abi"
	"github.com/astrid-go/astrid/sdk/ipc"
	"github.com/astrid-go/astrid/sdk/kv"
	"github.com/astrid-go/astrid/sdk/sys"
)

//go:wasmimport astrid:fs/host@1.0.0 fs-mkdir
func fsMkdir(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-copy
func fsCopy(from, to string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-read-link
func fsReadLink(path string, ret unsafe.Pointer)

//go:wasmimport astrid:kv/host@1.0.0 kv-list-keys-page
func kvPage(prefix string, hasCursor uint32, cursor string, limit uint32, ret unsafe.Pointer)

//go:wasmimport astrid:kv/host@1.0.0 kv-clear-prefix
func kvClear(prefix string, ret unsafe.Pointer)

//go:wasmimport astrid:kv/host@1.0.0 kv-cas
func kvCAS(key string, hasOld uint32, old string, value string, ret unsafe.Pointer)

//go:wasmimport astrid:sys/host@1.0.0 clock-ms
func clockMS() uint64

//go:wasmimport astrid:sys/host@1.0.0 clock-monotonic-ns
func clockMonotonic() uint64

//go:wasmimport astrid:sys/host@1.0.0 sleep-ns
func sleepNS(n uint64, ret unsafe.Pointer)

//go:wasmimport astrid:sys/host@1.0.0 random-bytes
func randomBytes(n uint64, ret unsafe.Pointer)

var (
	fsCodes = []string{
		"not-found", "access", "capability-denied", "boundary-escape", "invalid-path", "would-block",
		"is-directory", "not-directory", "not-empty", "too-large", "quota", "cross-vfs",
		"already-exists", "closed", "unknown",
	}
	kvCodes  = []string{"invalid-key", "too-large", "quota", "cas-mismatch", "unknown"}
	sysCodes = []string{"capability-denied", "config-key-reserved", "too-large", "registry-unavailable", "cancelled", "unknown"}
)

// functions binds every host function by its name.
var functions = map[string]func(args) (any, error){
	"fs-exists":         func(a args) (any, error) { return fs.Exists(a.A) },
	"fs-mkdir":          func(a args) (any, error) { return done(4, fsCodes, func(r unsafe.Pointer) { fsMkdir(a.A, r) }) },
	"fs-mkdir-all":      func(a args) (any, error) { return nil, fs.MkdirAll(a.A) },
	"fs-readdir":        func(a args) (any, error) { return fs.ReadDir(a.A) },
	"fs-stat":           func(a args) (any, error) { return fs.StatFile(a.A) },
	"fs-stat-symlink":   func(a args) (any, error) { return fs.Lstat(a.A) },
	"fs-unlink":         func(a args) (any, error) { return nil, fs.Unlink(a.A) },
	"read-file":         func(a args) (any, error) { b, err := fs.ReadFile(a.A); return string(b), err },
	"write-file":        func(a args) (any, error) { return nil, fs.WriteFile(a.A, []byte(a.B)) },
	"fs-append":         func(a args) (any, error) { return nil, fs.Append(a.A, []byte(a.B)) },
	"fs-copy":           func(a args) (any, error) { return done(4, fsCodes, func(r unsafe.Pointer) { fsCopy(a.A, a.B, r) }) },
	"fs-rename":         func(a args) (any, error) { return nil, fs.Rename(a.A, a.B) },
	"fs-remove-dir-all": func(a args) (any, error) { return fs.RemoveAll(a.A) },
	"fs-read-link":      readLink,

	"kv-get":            kvGet,
	"kv-set":            func(a args) (any, error) { return nil, kv.Set(a.A, []byte(a.B)) },
	"kv-delete":         func(a args) (any, error) { return nil, kv.Delete(a.A) },
	"kv-list-keys":      func(a args) (any, error) { return kv.List(a.A) },
	"kv-list-keys-page": page,
	"kv-clear-prefix":   clearPrefix,
	"kv-cas":            swap,

	"publish":          func(a args) (any, error) { return nil, ipc.Publish(a.A, []byte(a.B)) },
	"request-approval": func(a args) (any, error) { return approval.Request(a.A, a.B) },
	"http-request":     fetch,

	"get-config":         config,
	"get-caller":         func(args) (any, error) { return sys.CurrentCaller() },
	"log":                func(a args) (any, error) { sys.Log(sys.Level(a.N), a.A+a.B); return nil, nil },
	"clock-ms":           func(args) (any, error) { return clockMS(), nil },
	"clock-monotonic-ns": func(args) (any, error) { return clockMonotonic(), nil },
	"sleep-ns":           func(a args) (any, error) { return done(4, sysCodes, func(r unsafe.Pointer) { sleepNS(a.N, r) }) },
	"random-bytes":       random,
}

// done calls a function without a value.
func done(at int, codes []string, call func(unsafe.Pointer)) (any, error) {
	var r abi.Result
	call(r.Area())
	return nil, r.Failed(at, "call", "", codes)
}

func readLink(a args) (any, error) {
	var r abi.Result
	fsReadLink(a.A, r.Area())
	if err := r.Failed(4, "read link", a.A, fsCodes); err != nil {
		return nil, err
	}
	return r.String(4), nil
}

func kvGet(a args) (any, error) {
	b, found, err := kv.Get(a.A)
	if err != nil || !found {
		return nil, err
	}
	return string(b), nil
}

func page(a args) (any, error) {
	var r abi.Result
	var more uint32
	if a.B != "" {
		more = 1
	}
	kvPage(a.A, more, a.B, uint32(a.N), r.Area())
	if err := r.Failed(4, "list", a.A, kvCodes); err != nil {
		return nil, err
	}
	keys, next := r.Strings(4), ""
	if r.U8(12) == 1 {
		next = r.String(16)
	}
	return map[string]any{"keys": keys, "next": next}, nil
}

func clearPrefix(a args) (any, error) {
	var r abi.Result
	kvClear(a.A, r.Area())
	if err := r.Failed(8, "clear", a.A, kvCodes); err != nil {
		return nil, err
	}
	return r.U64(8), nil
}

// swap compares with B, and with absence where N is zero.
func swap(a args) (any, error) {
	return done(4, kvCodes, func(r unsafe.Pointer) { kvCAS(a.A, uint32(a.N), a.B, a.C, r) })
}

func config(a args) (any, error) {
	v, set, err := sys.Config(a.A)
	if !set {
		return nil, err
	}
	return v, err
}

func random(a args) (any, error) {
	var r abi.Result
	randomBytes(a.N, r.Area())
	if err := r.Failed(4, "random", "", sysCodes); err != nil {
		return nil, err
	}
	return len(r.Bytes(4)), nil
}

// fetch sends method C to A with body B.
func fetch(a args) (any, error) {
	var headers []http.Header
	for _, h := range a.Headers {
		headers = append(headers, http.Header{Key: h[0], Value: h[1]})
	}
	var body []byte
	if a.B != "" {
		body = []byte(a.B)
	}
	r, err := http.Do(a.C, a.A, headers, body)
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": r.Status, "body": string(r.Body), "headers": r.Headers}, nil
}
