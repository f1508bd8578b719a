//go:build wasip1

// Package kv stores this capsule's state for the principal of the current call
// (astrid:kv). Another principal, and another capsule, see other keys.
//
// Keys are UTF-8 of at most 256 bytes without control characters, values are at
// most 1 MiB. What Set returned for survives a crash of the machine.
package kv

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

var codes = []string{"invalid-key", "too-large", "quota", "cas-mismatch", "unknown"}

//go:wasmimport astrid:kv/host@1.0.0 kv-get
func get(key string, ret unsafe.Pointer)

//go:wasmimport astrid:kv/host@1.0.0 kv-set
func set(key string, valueAt, valueLen uint32, ret unsafe.Pointer)

//go:wasmimport astrid:kv/host@1.0.0 kv-delete
func remove(key string, ret unsafe.Pointer)

//go:wasmimport astrid:kv/host@1.0.0 kv-list-keys
func list(prefix string, ret unsafe.Pointer)

// Get returns the value of key and whether there is one.
func Get(key string) ([]byte, bool, error) {
	var r abi.Result
	get(key, r.Area())
	if err := r.Failed(4, "kv get", key, codes); err != nil {
		return nil, false, err
	}
	if r.U8(4) == 0 {
		return nil, false, nil
	}
	return r.Bytes(8), true, nil
}

// Set stores value under key.
func Set(key string, value []byte) error {
	var r abi.Result
	set(key, abi.Pointer(value), uint32(len(value)), r.Area())
	return r.Failed(4, "kv set", key, codes)
}

// Delete removes key; a missing key is no error.
func Delete(key string) error {
	var r abi.Result
	remove(key, r.Area())
	return r.Failed(4, "kv delete", key, codes)
}

// List returns the keys that begin with prefix, sorted, at most 1024; more is
// the error "too-large".
func List(prefix string) ([]string, error) {
	var r abi.Result
	list(prefix, r.Area())
	if err := r.Failed(4, "kv list", prefix, codes); err != nil {
		return nil, err
	}
	return r.Strings(4), nil
}
