package host

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/wasm/canon"
)

type kvCase uint8

// WITCases names the cases of astrid:kv's error-code.
func (kvCase) WITCases() []string {
	return []string{"invalid-key", "too-large", "quota", "cas-mismatch", "unknown"}
}

type kvError struct {
	Case kvCase `wit:",case"`
	Text string `wit:"unknown"`
}

func newKVError(err error) kvError {
	c, text := caseOf[kvCase](err, kvCode)
	return kvError{c, text}
}

func kvCode(err error) string {
	switch {
	case errors.Is(err, kv.ErrInvalidKey):
		return "invalid-key"
	case errors.Is(err, kv.ErrTooLarge):
		return "too-large"
	case errors.Is(err, kv.ErrQuota), errors.Is(err, kv.ErrFull):
		return "quota"
	case errors.Is(err, kv.ErrMismatch):
		return "cas-mismatch"
	}
	return ""
}

type kvResult[T any] = canon.Result[T, kvError]

func kvAnswer[T any](v T, err error) kvResult[T] { return result(v, err, newKVError) }

type keyPage struct {
	Keys       []string
	NextCursor canon.Option[string]
}

func kvInterface() canon.Interface {
	return canon.Interface{Name: "astrid:kv/host@1.0.0", Funcs: []canon.HostFunc{
		canon.Func1("kv-get", kvGet),
		canon.Func2("kv-set", kvSet),
		canon.Func1("kv-delete", kvDelete),
		canon.Func1("kv-list-keys", kvListKeys),
		canon.Func3("kv-list-keys-page", kvListKeysPage),
		canon.Func1("kv-clear-prefix", kvClearPrefix),
		canon.Func3("kv-cas", kvCAS),
	}}
}

// keyed asks for leave and acts on the capsule's namespace, which is the
// principal's own.
func keyed[T any](ctx context.Context, action, key string, act func(*kv.Namespace) (T, error)) (out T, err error) {
	i := of(ctx)
	err = i.permitted(ctx, i.request(action, keyResource(key)), func() (err error) {
		out, err = act(i.KV)
		return err
	})
	return out, err
}

// keyResource spells a key, or a prefix of keys, as a resource. One that is no
// path gets a spelling that wildcards cover and nothing else does.
func keyResource(key string) string {
	resource := "kv://" + key
	if _, err := capability.ParseResource(resource); err != nil {
		return "kv://key-" + hex.EncodeToString([]byte(key))
	}
	return resource
}

func kvGet(ctx context.Context, key string) kvResult[canon.Option[[]byte]] {
	return kvAnswer(keyed(ctx, "kv.read", key, func(n *kv.Namespace) (canon.Option[[]byte], error) {
		value, found, err := n.Get(ctx, key)
		return canon.Option[[]byte]{Some: found, Value: value}, err
	}))
}

func kvSet(ctx context.Context, key string, value []byte) kvResult[canon.Unit] {
	return kvAnswer(keyed(ctx, "kv.write", key, func(n *kv.Namespace) (canon.Unit, error) {
		return canon.Unit{}, n.Set(ctx, key, value)
	}))
}

func kvDelete(ctx context.Context, key string) kvResult[canon.Unit] {
	return kvAnswer(keyed(ctx, "kv.write", key, func(n *kv.Namespace) (canon.Unit, error) {
		_, err := n.Delete(ctx, key)
		return canon.Unit{}, err
	}))
}

// kvListKeys answers too-large where there is more than one page, so that a
// guest never takes a part for the whole.
func kvListKeys(ctx context.Context, prefix string) kvResult[[]string] {
	return kvAnswer(keyed(ctx, "kv.read", prefix, func(n *kv.Namespace) ([]string, error) {
		page, err := n.List(ctx, prefix, "", 0)
		if err == nil && page.Next != "" {
			err = failed("too-large", "more keys than one answer holds; list them by page")
		}
		return page.Keys, err
	}))
}

func kvListKeysPage(ctx context.Context, prefix string, cursor canon.Option[string], limit uint32) kvResult[keyPage] {
	return kvAnswer(keyed(ctx, "kv.read", prefix, func(n *kv.Namespace) (keyPage, error) {
		page, err := n.List(ctx, prefix, cursor.Value, int(min(limit, kv.MaxPage)))
		return keyPage{Keys: page.Keys, NextCursor: canon.Option[string]{Some: page.Next != "", Value: page.Next}}, err
	}))
}

func kvClearPrefix(ctx context.Context, prefix string) kvResult[uint64] {
	return kvAnswer(keyed(ctx, "kv.write", prefix, func(n *kv.Namespace) (uint64, error) {
		removed, err := n.ClearPrefix(ctx, prefix)
		return uint64(removed), err
	}))
}

func kvCAS(ctx context.Context, key string, expected canon.Option[[]byte], value []byte) kvResult[canon.Unit] {
	return kvAnswer(keyed(ctx, "kv.write", key, func(n *kv.Namespace) (canon.Unit, error) {
		old := expected.Value
		if expected.Some && old == nil {
			old = []byte{} // empty, which is not absent
		}
		return canon.Unit{}, n.CompareAndSwap(ctx, key, old, value)
	}))
}
