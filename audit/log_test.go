package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/tlog"
)

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func testConfig(dir string) Config {
	return Config{Dir: dir, Key: testKey(1), Origin: "astrid.test/log"}
}

func mustOpen(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func entry(i int) Entry {
	return Entry{Time: time.Unix(int64(i), 5), Principal: "default", Kind: "test.kind", Body: fmt.Appendf(nil, "body %d", i)}
}

func fill(t testing.TB, l *Log, n int, d Durability) {
	t.Helper()
	for i := range n {
		if _, err := l.Append(context.Background(), entry(i), d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsComeBackAfterReopenAcrossSegments(t *testing.T) {
	defer goleak.VerifyNone(t)
	c := testConfig(t.TempDir())
	c.SegmentBytes = 20_000
	l := mustOpen(t, c)
	fill(t, l, 500, Written)
	before := l.Size()
	mustClose(t, l)
	mustClose(t, l)
	if _, err := l.Append(context.Background(), entry(0), Written); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := l.Get(0); !errors.Is(err, ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	l = mustOpen(t, c)
	defer mustClose(t, l)
	if l.Size() != 500 || before != 500 || l.Checkpoint().Size != 500 || l.Recovered() != (Recovery{}) {
		t.Fatalf("size %d, checkpoint %d, recovered %+v", l.Size(), l.Checkpoint().Size, l.Recovered())
	}
	if segments, _ := filepath.Glob(filepath.Join(c.Dir, SegmentPattern)); len(segments) < 3 {
		t.Fatalf("%d segments: rotation is not tested", len(segments))
	}
	for i := range 500 {
		r, err := l.Get(uint64(i))
		want := entry(i)
		if err != nil || r.Seq != uint64(i) || !r.Time.Equal(want.Time) || r.Principal != want.Principal || r.Kind != want.Kind || !bytes.Equal(r.Body, want.Body) {
			t.Fatalf("record %d: %+v, %v", i, r, err)
		}
	}
	if _, err := l.Get(500); !errors.Is(err, ErrNotFound) {
		t.Errorf("record after the last: %v", err)
	}
}

func TestTailFiltersAndKeepsOrder(t *testing.T) {
	c := testConfig(t.TempDir())
	c.SegmentBytes = 20_000
	l := mustOpen(t, c)
	fill(t, l, 300, Written)
	for _, n := range []int{0, 1, 70, 150, 400} {
		got, err := l.Tail(n, func(r Record) bool { return r.Seq%2 == 0 })
		if err != nil || len(got) != min(n, 150) {
			t.Fatalf("tail %d: %d records, %v", n, len(got), err)
		}
		for i, r := range got {
			if want := uint64(300 - 2*(len(got)-i)); r.Seq != want {
				t.Fatalf("tail %d, place %d: record %d, want %d", n, i, r.Seq, want)
			}
		}
	}
}

func TestEntriesOverTheLimitsAreRefused(t *testing.T) {
	l := mustOpen(t, testConfig(t.TempDir()))
	long := func(n int) string { return string(bytes.Repeat([]byte("x"), n)) }
	for name, e := range map[string]Entry{
		"body": {Kind: "k", Body: make([]byte, MaxBodyBytes+1)}, "no kind": {},
		"kind": {Kind: long(MaxKindBytes + 1)}, "principal": {Kind: "k", Principal: long(MaxPrincipalBytes + 1)},
		"not UTF-8": {Kind: "\xff"},
	} {
		if _, err := l.Append(context.Background(), e, Written); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	largest := Entry{Kind: long(MaxKindBytes), Principal: long(MaxPrincipalBytes), Body: make([]byte, MaxBodyBytes)}
	if _, err := l.Append(context.Background(), largest, Synced); err != nil || l.Size() != 1 {
		t.Errorf("largest entry: %v", err)
	}
}

func TestWrittenRecordsAreSignedInTime(t *testing.T) {
	c := testConfig(t.TempDir())
	c.SignInterval = time.Millisecond
	l := mustOpen(t, c)
	fill(t, l, 3, Written)
	for l.Checkpoint().Size != 3 { // the test's own time limit ends this
		time.Sleep(time.Millisecond)
	}
}

func TestProofsAreAcceptedByTlog(t *testing.T) {
	l := mustOpen(t, testConfig(t.TempDir()))
	var older []Checkpoint
	for i := range 37 {
		fill(t, l, 1+i%3, Synced)
		older = append(older, l.Checkpoint())
	}
	last := l.Checkpoint()
	for seq := range last.Size {
		proof, h, err := l.ProveRecord(last, seq)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, int64(last.Size), last.Root, int64(seq), h); err != nil {
			t.Fatalf("record %d: %v", seq, err)
		}
		if tlog.CheckRecord(proof, int64(last.Size), last.Root, int64(seq), tlog.Hash{}) == nil {
			t.Fatalf("record %d: the proof fits another leaf", seq)
		}
	}
	for _, c := range older {
		proof, err := l.ProveConsistency(c.Size, last.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(proof, int64(last.Size), last.Root, int64(c.Size), c.Root); err != nil {
			t.Fatalf("tree of %d: %v", c.Size, err)
		}
	}
}

func TestConcurrentAppendsAreOneChain(t *testing.T) {
	defer goleak.VerifyNone(t)
	const writers, each = 16, 50
	c := testConfig(t.TempDir())
	c.SegmentBytes = 30_000
	l := mustOpen(t, c)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			last := -1
			for i := range each {
				ref, err := l.Append(context.Background(), entry(i), Durability((w+i)%2))
				if err != nil || int(ref.Seq) <= last {
					t.Errorf("writer %d: record %d after %d, %v", w, ref.Seq, last, err)
				}
				last = int(ref.Seq)
				if r, err := l.Get(ref.Seq); err != nil || r.Hash != ref.Hash {
					t.Errorf("record %d is not there after Append: %v", ref.Seq, err)
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
	report, err := Verify(c.Dir, public(c.Key))
	if err != nil || len(report.Problems) > 0 || report.Records != writers*each || report.Unsigned != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestCancelledAppendRecordsNothing(t *testing.T) {
	l := mustOpen(t, testConfig(t.TempDir()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Append(ctx, entry(0), Synced); !errors.Is(err, context.Canceled) || l.Size() != 0 {
		t.Fatalf("%v, size %d", err, l.Size())
	}
}

func TestVerifyTrustsOnlyGivenKeysAndChangesNothing(t *testing.T) {
	c := testConfig(t.TempDir())
	l := mustOpen(t, c)
	fill(t, l, 3, Synced)
	mustClose(t, l)
	before := readDir(t, c.Dir)
	if r, err := Verify(c.Dir, public(testKey(2))); err != nil || len(r.Problems) == 0 {
		t.Errorf("another key: %+v, %v", r, err)
	}
	if _, err := Verify(c.Dir); err == nil {
		t.Error("no key: verified")
	}
	if _, err := Verify(t.TempDir(), public(c.Key)); err == nil {
		t.Error("empty directory: verified")
	}
	if after := readDir(t, c.Dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("Verify changed the log")
	}
	c.Key, c.Trusted = testKey(2), []ed25519.PublicKey{public(testKey(1))}
	l = mustOpen(t, c)
	fill(t, l, 1, Synced)
	mustClose(t, l)
	if r, err := Verify(c.Dir, public(testKey(1)), public(testKey(2))); err != nil || len(r.Problems) > 0 {
		t.Errorf("after a change of key: %+v, %v", r, err)
	}
}

// readDir gives the content of each file of a log.
func readDir(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// writeDir makes a log directory with the files.
func writeDir(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
