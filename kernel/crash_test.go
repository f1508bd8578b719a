package kernel_test

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

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/kernel"
)

// childHome makes this program a kernel on the home that it names, until it is
// killed; childWorkspace is its workspace.
const (
	childHome      = "ASTRID_TEST_CHILD_HOME"
	childWorkspace = "ASTRID_TEST_CHILD_WORKSPACE"
)

func runChild() int {
	h := &house{home: os.Getenv(childHome), workspace: os.Getenv(childWorkspace)}
	k, err := kernel.New(context.Background(), h.config())
	if err == nil {
		fmt.Println("booted")
		err = k.LoadAllCapsules(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("loaded")
	<-k.Done()
	if err := shutDown(k); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// spawn starts a kernel in a process of its own and waits until it says so.
func (h *house) spawn(until string) (kill func()) {
	h.t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childHome+"="+h.home, childWorkspace+"="+h.workspace)
	out, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	kill = func() {
		c.Process.Kill()
		c.Wait()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == until {
			return kill
		}
		if lines.Text() != "booted" {
			kill()
			h.t.Fatalf("child: %s", lines.Text())
		}
	}
	kill()
	h.t.Fatalf("child ended before it was %s", until)
	return nil
}

// TestKilledUnderLoad kills a kernel while tools write, and wants everything
// that was acknowledged in the next one: changes, keys, approvals, records.
func TestKilledUnderLoad(t *testing.T) {
	h := newHouse(t)
	k, err := kernel.New(t.Context(), h.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.InstallCapsule(t.Context(), folder(manifest("probe", everything+tools), probe(t))), shutDown(k)); err != nil {
		t.Fatal(err)
	}

	for round := range 3 {
		kill := h.spawn("loaded")
		acknowledged := h.writeUntil(round, kill)
		if acknowledged == 0 {
			t.Fatal("nothing was acknowledged before the kill")
		}
		h.verifyAfterKill(round, acknowledged)
	}
}

// writeUntil writes files and keys one after the other, kills the kernel in the
// middle, and returns how many of each were acknowledged.
func (h *house) writeUntil(round int, kill func()) int {
	h.t.Helper()
	c := h.operator()
	if o := c.host(call{Fn: "kv-set", A: fmt.Sprintf("r%d-first", round), B: "kept"}); o.Code != "" {
		h.t.Fatal(o)
	}
	var killed sync.WaitGroup
	defer killed.Wait()
	for n := 0; ; n++ {
		if n == 20 {
			killed.Go(kill) // while calls are under way
		}
		ok := h.tryHost(c, fmt.Sprintf(`{"fn":"write-file","a":"r%d-%d.txt","b":"%d"}`, round, n, n)) &&
			h.tryHost(c, fmt.Sprintf(`{"fn":"kv-set","a":"r%d-%d","b":"%d"}`, round, n, n))
		if !ok {
			return n
		}
	}
}

func (h *house) tryHost(c *client, arguments string) bool {
	r, err := c.CallTool(h.t.Context(), "host", []byte(arguments))
	return err == nil && !r.IsError && strings.Contains(r.Content, `"code":""`)
}

func (h *house) verifyAfterKill(round, acknowledged int) {
	h.t.Helper()
	k, err := kernel.New(h.t.Context(), h.config())
	if err != nil {
		h.t.Fatalf("boot after the kill: %v", err)
	}
	defer func() {
		if err := shutDown(k); err != nil {
			h.t.Error(err)
		}
	}()
	if err := k.LoadAllCapsules(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	c := h.operator()
	defer c.Close()
	for n := range acknowledged {
		want := fmt.Sprint(n)
		if got := c.host(call{Fn: "read-file", A: fmt.Sprintf("r%d-%d.txt", round, n)}); got.Value != want {
			h.t.Errorf("round %d: acknowledged file %d is %+v", round, n, got)
		}
		if got := c.host(call{Fn: "kv-get", A: fmt.Sprintf("r%d-%d", round, n)}); got.Value != want {
			h.t.Errorf("round %d: acknowledged key %d is %+v", round, n, got)
		}
	}
	var report api.AuditReport
	c.request(api.MethodVerifyAudit, nil, &report)
	if !report.Intact {
		h.t.Errorf("round %d: the audit log does not verify: %+v", round, report.Problems)
	}
	if entries, _ := os.ReadDir(h.workspace); len(entries) != 0 {
		h.t.Errorf("the real workspace was changed: %v", entries)
	}
}

// TestKilledWhileLoading kills a kernel between its boot and the end of loading:
// the next one boots over the stale socket, token and lock.
func TestKilledWhileLoading(t *testing.T) {
	h := newHouse(t)
	h.spawn("booted")()
	h.boot()
	h.operator().request(api.MethodGetStatus, nil, nil)
}
