package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func mustOpen(t testing.TB, path string, c Config) *Store {
	t.Helper()
	s, err := Open(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openNamespace(t testing.TB, c Config) *Namespace {
	t.Helper()
	return namespace(t, mustOpen(t, filepath.Join(t.TempDir(), "kv"), c), "default")
}

func namespace(t testing.TB, s *Store, name string) *Namespace {
	t.Helper()
	n, err := s.Namespace(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamespacesDoNotReachEachOther(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, filepath.Join(t.TempDir(), "kv"), Config{})
	a, b := namespace(t, s, "a"), namespace(t, s, "ab")
	for _, n := range []*Namespace{a, b} {
		if err := n.Set(ctx, "k", []byte(n.name)); err != nil {
			t.Fatal(err)
		}
	}
	if count, err := a.ClearPrefix(ctx, ""); count != 1 || err != nil {
		t.Fatalf("cleared %d, %v", count, err)
	}
	if v, found, err := b.Get(ctx, "k"); string(v) != "ab" || !found || err != nil {
		t.Errorf("the other namespace: %q, %v, %v", v, found, err)
	}
	if _, found, err := a.Get(ctx, "k"); found || err != nil {
		t.Errorf("after clearing: %v, %v", found, err)
	}
}

func TestLimits(t *testing.T) {
	ctx := context.Background()
	n := openNamespace(t, Config{})
	for name, key := range map[string]string{
		"empty": "", "long": strings.Repeat("x", MaxKeyBytes+1), "not UTF-8": "\xff", "NUL": "a\x00b",
		"control": "a\u0085b", "not NFC": "e\u0301",
	} {
		_, _, get := n.Get(ctx, key)
		_, del := n.Delete(ctx, key)
		for verb, err := range map[string]error{"get": get, "set": n.Set(ctx, key, nil), "delete": del, "swap": n.CompareAndSwap(ctx, key, nil, nil)} {
			if !errors.Is(err, ErrInvalidKey) {
				t.Errorf("%s key, %s: %v", name, verb, err)
			}
		}
	}
	if err := n.Set(ctx, strings.Repeat("é", MaxKeyBytes/2), make([]byte, MaxValueBytes)); err != nil {
		t.Errorf("largest key and value: %v", err)
	}
	if err := n.Set(ctx, "k", make([]byte, MaxValueBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("value over the limit: %v", err)
	}
	if _, err := n.List(ctx, "", "", MaxPage+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("page over the limit: %v", err)
	}
	if err := n.Batch(ctx, Batch{Writes: make([]Write, MaxBatchOps+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("batch over the limit: %v", err)
	}
	if err := n.Batch(ctx, Batch{Writes: []Write{{Key: "k"}, {Key: "k"}}}); !errors.Is(err, ErrInvalidKey) {
		t.Errorf("key twice in a batch: %v", err)
	}
}

func TestEmptyValueIsNotAbsent(t *testing.T) {
	ctx := context.Background()
	n := openNamespace(t, Config{})
	if err := n.Set(ctx, "k", nil); err != nil {
		t.Fatal(err)
	}
	if v, found, err := n.Get(ctx, "k"); v == nil || !found || err != nil {
		t.Fatalf("%v, %v, %v", v, found, err)
	}
	if err := n.CompareAndSwap(ctx, "k", nil, []byte("x")); !errors.Is(err, ErrMismatch) {
		t.Errorf("expected absent, was empty: %v", err)
	}
	if err := n.CompareAndSwap(ctx, "k", []byte{}, []byte("x")); err != nil {
		t.Errorf("expected empty: %v", err)
	}
}

func TestFailedBatchChangesNothingAndFailsAlone(t *testing.T) {
	ctx := context.Background()
	n := openNamespace(t, Config{})
	refused := &operation{
		namespace: n.name, done: make(chan error, 1),
		conditions: []change{{key: []byte("missing"), value: []byte("x")}},
		writes:     []change{{key: []byte("a"), value: []byte("1")}},
	}
	fine := &operation{namespace: n.name, done: make(chan error, 1), writes: []change{{key: []byte("b"), value: []byte("2")}}}
	n.store.commit([]*operation{refused, fine})
	if err := <-refused.done; !errors.Is(err, ErrMismatch) {
		t.Errorf("refused: %v", err)
	}
	if err := <-fine.done; err != nil {
		t.Errorf("the other: %v", err)
	}
	if page, err := n.List(ctx, "", "", 0); err != nil || !slices.Equal(page.Keys, []string{"b"}) {
		t.Errorf("keys %v, %v", page.Keys, err)
	}
}

func TestQuotaCountsAndAlwaysLetsShrink(t *testing.T) {
	ctx := context.Background()
	n := openNamespace(t, Config{})
	if err := n.Set(ctx, "k", make([]byte, 99)); err != nil {
		t.Fatal(err)
	}
	small := n.WithQuota(50)
	if err := small.Set(ctx, "l", nil); !errors.Is(err, ErrQuota) {
		t.Errorf("grow over the quota: %v", err)
	}
	if err := small.Set(ctx, "k", make([]byte, 60)); err != nil {
		t.Errorf("shrink while over the quota: %v", err)
	}
	if err := small.Set(ctx, "k", make([]byte, 49)); err != nil {
		t.Errorf("shrink to the quota: %v", err)
	}
	if used, err := n.Used(ctx); used != 50 || err != nil {
		t.Errorf("used %d, %v", used, err)
	}
}

func TestFullStoreRefusesAndStaysUsable(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "kv")
	s := mustOpen(t, path, Config{MaxBytes: 4 << 20})
	n := namespace(t, s, "n")
	var kept int
	for ; ; kept++ {
		err := n.Set(ctx, fmt.Sprint(kept), make([]byte, 200<<10))
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil || kept > 100 {
			t.Fatalf("after %d writes: %v", kept, err)
		}
	}
	if existed, err := n.Delete(ctx, "0"); !existed || err != nil {
		t.Fatalf("delete in a full store: %v, %v", existed, err)
	}
	if err := n.Set(ctx, "small", []byte("x")); err != nil {
		t.Fatalf("small write after a deletion: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n = namespace(t, mustOpen(t, path, Config{}), "n")
	for i := 1; i < kept; i++ {
		if v, found, err := n.Get(ctx, fmt.Sprint(i)); len(v) != 200<<10 || !found || err != nil {
			t.Fatalf("acknowledged key %d: %v, %v", i, found, err)
		}
	}
}

func TestOpenRefusesALockedFileAndAnUnknownVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	s := mustOpen(t, path, Config{})
	if _, err := Open(path, Config{LockTimeout: time.Millisecond}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	for _, version := range [][]byte{binary.BigEndian.AppendUint64(nil, formatVersion+1), nil} {
		err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(versionKey, version) })
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Config{}); !errors.Is(err, ErrVersion) {
			t.Fatalf("version %x: %v", version, err)
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		s = &Store{db: db, closing: make(chan struct{})}
	}
}

func TestClosedStoreSaysSo(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx := context.Background()
	n := openNamespace(t, Config{})
	if err := errors.Join(n.store.Close(), n.store.Close()); err != nil {
		t.Fatal(err)
	}
	_, _, get := n.Get(ctx, "k")
	_, list := n.List(ctx, "", "", 0)
	for verb, err := range map[string]error{"get": get, "list": list, "set": n.Set(ctx, "k", nil)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	s := &Store{requests: make(chan *operation), closing: make(chan struct{})} // no writer takes anything
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := namespace(t, s, "n").Set(ctx, "k", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestConcurrentSwapsCountExactly(t *testing.T) {
	ctx := context.Background()
	n := openNamespace(t, Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for done := 0; done < 20; {
				old, _, err := n.Get(ctx, "counter")
				if err == nil {
					err = n.CompareAndSwap(ctx, "counter", old, append(bytes.Clone(old), 'x'))
				}
				if err == nil {
					done++
				} else if !errors.Is(err, ErrMismatch) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v, _, err := n.Get(ctx, "counter"); len(v) != 160 || err != nil {
		t.Fatalf("%d swaps in the value, %v", len(v), err)
	}
}

func TestAgainstAMap(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, filepath.Join(t.TempDir(), "kv"), Config{})
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		n, err := s.Namespace(fmt.Sprint(round))
		if err != nil {
			t.Fatal(err)
		}
		m := &model{ctx: ctx, n: n, want: map[string][]byte{}}
		t.Repeat(map[string]func(*rapid.T){
			"set": m.set, "delete": m.delete, "swap": m.swap, "batch": m.batch, "clear": m.clear, "": m.check,
		})
	})
}

// model runs an operation on the namespace and on a map.
type model struct {
	ctx  context.Context
	n    *Namespace
	want map[string][]byte
}

func (m *model) key(t *rapid.T) string { return rapid.StringMatching(`[ab]{1,3}`).Draw(t, "key") }
func (m *model) value(t *rapid.T) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "value")
}

func (m *model) set(t *rapid.T) {
	k, v := m.key(t), m.value(t)
	if err := m.n.Set(m.ctx, k, v); err != nil {
		t.Fatal(err)
	}
	m.want[k] = present(v)
}

func (m *model) delete(t *rapid.T) {
	k := m.key(t)
	_, want := m.want[k]
	if existed, err := m.n.Delete(m.ctx, k); existed != want || err != nil {
		t.Fatalf("delete %q: %v, %v", k, existed, err)
	}
	delete(m.want, k)
}

func (m *model) swap(t *rapid.T) {
	k, expected, v := m.key(t), m.want[m.key(t)], m.value(t)
	now, exists := m.want[k]
	fits := exists == (expected != nil) && bytes.Equal(now, expected)
	if err := m.n.CompareAndSwap(m.ctx, k, expected, v); errors.Is(err, ErrMismatch) == fits || (err != nil) == fits {
		t.Fatalf("swap %q: %v, fits %v", k, err, fits)
	}
	if fits {
		m.want[k] = present(v)
	}
}

func (m *model) batch(t *rapid.T) {
	a, b, v := m.key(t), m.key(t), m.value(t)
	err := m.n.Batch(m.ctx, Batch{Conditions: []Write{{Key: a, Value: m.want[a]}}, Writes: []Write{{Key: a}, {Key: b, Value: present(v)}}})
	if a == b {
		if !errors.Is(err, ErrInvalidKey) {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(m.want, a)
	m.want[b] = present(v)
}

func (m *model) clear(t *rapid.T) {
	prefix := rapid.StringMatching(`[ab]{1,3}`).Draw(t, "prefix")
	before := len(m.want)
	maps.DeleteFunc(m.want, func(k string, _ []byte) bool { return strings.HasPrefix(k, prefix) })
	if count, err := m.n.ClearPrefix(m.ctx, prefix); count != before-len(m.want) || err != nil {
		t.Fatalf("clear %q: %d, %v", prefix, count, err)
	}
}

func (m *model) check(t *rapid.T) {
	prefix, limit := rapid.StringMatching(`[ab]{0,2}`).Draw(t, "prefix"), rapid.IntRange(1, 4).Draw(t, "limit")
	var got, want []string
	for page := (Page{}); ; {
		var err error
		if page, err = m.n.List(m.ctx, prefix, page.Next, limit); err != nil || len(page.Keys) > limit {
			t.Fatalf("list: %v, %v", page, err)
		}
		if got = append(got, page.Keys...); page.Next == "" {
			break
		}
	}
	var used int64
	for _, k := range slices.Sorted(maps.Keys(m.want)) {
		used += int64(len(k) + len(m.want[k]))
		if strings.HasPrefix(k, prefix) {
			want = append(want, k)
		}
		if v, found, err := m.n.Get(m.ctx, k); !found || err != nil || !bytes.Equal(v, m.want[k]) {
			t.Fatalf("get %q: %v, %v, %v", k, v, found, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("list %q: %q, want %q", prefix, got, want)
	}
	if counted, err := m.n.Used(m.ctx); counted != used || err != nil {
		t.Fatalf("used %d, want %d, %v", counted, used, err)
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "e\u0301", "\xff", "a\x00", strings.Repeat("x", 257)} {
		f.Add(seed)
	}
	ctx := context.Background()
	n := openNamespace(f, Config{})
	f.Fuzz(func(t *testing.T, key string) {
		if checkKey(key) != nil {
			return
		}
		if err := n.Set(ctx, key, []byte("v")); err != nil {
			t.Fatal(err)
		}
		if page, err := n.List(ctx, key, "", 1); err != nil || len(page.Keys) != 1 || page.Keys[0] != key {
			t.Fatalf("key %q is not what its own prefix lists: %v, %v", key, page, err)
		}
	})
}
