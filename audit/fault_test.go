package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

var errDisk = errors.New("disk fault")

// faults makes one step of the files fail, with its effect or without.
type faults struct {
	failAt, step int
	persist      bool
}

type faultyFile struct {
	appender
	on *faults
}

func (f *faults) open(root *os.Root, name string, flag int) (appender, error) {
	inner, err := osFiles(root, name, flag)
	return faultyFile{inner, f}, err
}

// do runs an effect unless it is its turn to fail.
func (f *faults) do(effect func() error) error {
	turn := f.step == f.failAt
	f.step++
	if turn && !f.persist {
		return errDisk
	}
	if err := effect(); err != nil || !turn {
		return err
	}
	return errDisk
}

func (f faultyFile) Write(p []byte) (n int, err error) {
	err = f.on.do(func() error { n, err = f.appender.Write(p); return err })
	if err != nil && !f.on.persist {
		n, _ = f.appender.Write(p[:len(p)/2]) // a short write
	}
	return n, err
}

func (f faultyFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.on.do(func() error { n, err = f.appender.WriteAt(p, off); return err })
	return n, err
}

func (f faultyFile) Sync() error { return f.on.do(f.appender.Sync) }

func TestEachFailingStepIsFinalAndLosesNothingAcknowledged(t *testing.T) {
	for _, persist := range []bool{false, true} {
		for failAt := 0; runWithFault(t, failAt, persist); failAt++ {
		}
	}
}

// runWithFault reports whether the step to fail was reached.
func runWithFault(t *testing.T, failAt int, persist bool) bool {
	t.Helper()
	c := testConfig(t.TempDir())
	c.SegmentBytes = 1000 // rotation is among the steps
	on := &faults{failAt: failAt, persist: persist}
	l, err := openOn(context.Background(), c, on.open)
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged []Ref
	failed := false
	for i := range 8 {
		ref, err := l.Append(context.Background(), entry(i), Durability(i%2))
		if err == nil && failed {
			t.Fatalf("step %d failed (persist %v): a later append claims success", failAt, persist)
		}
		if err == nil {
			acknowledged = append(acknowledged, ref)
		} else if failed = true; !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
			t.Fatalf("step %d: error %v", failAt, err)
		}
	}
	if err := l.Close(); (err != nil) != failed && on.step <= failAt {
		t.Fatalf("step %d: close: %v", failAt, err)
	}
	l = mustOpen(t, c)
	defer mustClose(t, l)
	for _, ref := range acknowledged {
		if r, err := l.Get(ref.Seq); err != nil || r.Hash != ref.Hash {
			t.Fatalf("step %d failed (persist %v): acknowledged record %d is gone: %v", failAt, persist, ref.Seq, err)
		}
	}
	return on.step > failAt
}

// childDir in the environment makes the test binary the writing child.
const childDir = "ASTRID_TEST_AUDIT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

// appendForEver appends with several writers and prints what was acknowledged.
func appendForEver(dir string) {
	c := testConfig(dir)
	c.SegmentBytes = 50_000
	l, err := Open(context.Background(), c)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				ref, err := l.Append(context.Background(), entry(i), Durability(w%2))
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Printf("%d %x\n", ref.Seq, ref.Hash)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		lines := killChild(t, dir, 200+150*round)
		l := mustOpen(t, testConfig(dir))
		for _, line := range lines {
			var seq uint64
			var sum string
			if _, err := fmt.Sscanf(line, "%d %s", &seq, &sum); err != nil || len(sum) != 64 {
				t.Fatalf("round %d: child said %q", round, line)
			}
			if r, err := l.Get(seq); err != nil || fmt.Sprintf("%x", r.Hash) != sum {
				t.Fatalf("round %d: acknowledged record %d is gone: %v", round, seq, err)
			}
		}
		mustClose(t, l)
	}
}

// killChild starts the child, kills it after some acknowledgements and returns
// all whole lines it printed.
func killChild(t *testing.T, dir string, after int) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for b := bufio.NewReader(out); ; {
		line, err := b.ReadString('\n')
		if err != nil {
			break // the killed child's last line may be cut
		}
		if lines = append(lines, strings.TrimSpace(line)); len(lines) == after {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed: always an error
	if len(lines) < after {
		t.Fatalf("child ended after %d lines: %q", len(lines), lines)
	}
	return lines
}
