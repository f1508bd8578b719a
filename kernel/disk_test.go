package kernel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/kernel"
)

// TestFullDisk fills the home's disk under a running kernel: calls fail with an
// error, what was acknowledged stays, and a kernel that is booted after space
// was freed goes on with it.
func TestFullDisk(t *testing.T) {
	code := probe(t)
	h := newHouse(t)
	if err := os.Mkdir(h.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", h.home, "tmpfs", 0, "size=48m,mode=0700"); err != nil {
		t.Skipf("mounting a small disk needs more rights: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(h.home, unix.MNT_DETACH) })
	first, err := kernel.New(t.Context(), h.config())
	if err != nil {
		t.Fatal(err)
	}
	h.kernel = first
	h.load(folder(manifest("probe", everything+tools), code))
	c := h.operator()

	ballast := filepath.Join(h.home, "ballast")
	fill(t, ballast)
	acknowledged, refused := 0, 0
	for n := range 40 {
		arguments := fmt.Sprintf(`{"fn":"write-file","a":"f%d","b":"%d","fill":65536}`, n, n)
		if h.tryHost(c, arguments) {
			acknowledged++
		} else {
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("nothing was refused on a full disk")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := shutDown(first); err == nil {
		t.Error("a shutdown whose record could not be written reports success")
	}
	h.boot().load()
	c = h.operator()
	for n := range acknowledged {
		if got := c.host(call{Fn: "fs-exists", A: fmt.Sprintf("f%d", n)}); got.Value != true {
			t.Errorf("acknowledged file %d: %+v", n, got)
		}
	}
	if got := c.host(call{Fn: "write-file", A: "after", B: "x"}); got.Code != "" {
		t.Errorf("a write after space was freed: %+v", got)
	}
	var report api.AuditReport
	if c.request(api.MethodVerifyAudit, nil, &report); !report.Intact {
		t.Errorf("the audit log does not verify: %+v", report.Problems)
	}
}

// fill writes a file until its disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := 1 << 20; chunk > 0; {
		if _, err := f.Write(make([]byte, chunk)); err != nil {
			chunk /= 2
		}
	}
}
