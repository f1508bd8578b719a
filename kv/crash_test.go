package kv

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// childPath in the environment makes the test binary the writing child.
const childPath = "ASTRID_TEST_KV_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		writeForEver(path)
	}
	os.Exit(m.Run())
}

// writeForEver writes pairs of keys with several writers and prints what was
// acknowledged.
func writeForEver(path string) {
	s, err := Open(path, Config{})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	n, err := s.Namespace("n")
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%p-%d", os.Getpid(), &i, i)
				err := n.Batch(context.Background(), Batch{Writes: []Write{
					{Key: "a" + key, Value: []byte(key)}, {Key: "b" + key, Value: []byte(key)},
				}})
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Println(key)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "kv")
	for round := range 5 {
		keys := killChild(t, path, 100+70*round)
		s := mustOpen(t, path, Config{})
		n := namespace(t, s, "n")
		for _, key := range keys {
			if v, found, err := n.Get(ctx, "a"+key); !found || string(v) != key || err != nil {
				t.Fatalf("round %d: acknowledged key %q is gone: %v", round, key, err)
			}
		}
		assertPairs(t, n)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// assertPairs fails if half of a batch is there.
func assertPairs(t *testing.T, n *Namespace) {
	t.Helper()
	for page := (Page{}); ; {
		var err error
		if page, err = n.List(context.Background(), "", page.Next, 0); err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			other := map[byte]string{'a': "b", 'b': "a"}[k[0]] + k[1:]
			if _, found, err := n.Get(context.Background(), other); !found || err != nil {
				t.Fatalf("%q is there without %q: %v", k, other, err)
			}
		}
		if page.Next == "" {
			return
		}
	}
}

// killChild starts the child, kills it after some acknowledgements and returns
// all whole lines it printed.
func killChild(t *testing.T, path string, after int) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
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
