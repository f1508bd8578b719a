package kernel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/kernel"
	"github.com/astrid-go/astrid/principal"
)

// leftovers are what only a running kernel has.
func (h *house) leftovers() []string {
	var found []string
	for _, name := range []string{"system.ready", "system.pid", "system.token", "system.sock"} {
		if _, err := os.Lstat(filepath.Join(h.home, "run", name)); err == nil {
			found = append(found, name)
		}
	}
	return found
}

func TestShutdownLeavesNothingBehind(t *testing.T) {
	h := newHouse(t).boot()
	if err := h.kernel.LoadAllCapsules(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.leftovers(); len(got) != 4 {
		t.Errorf("while it runs there are %v", got)
	}
	if err := errors.Join(shutDown(h.kernel), shutDown(h.kernel)); err != nil {
		t.Errorf("shutdown, twice: %v", err)
	}
	if got := h.leftovers(); len(got) != 0 {
		t.Errorf("after the shutdown there are %v", got)
	}
	h.boot().operator().request(api.MethodGetStatus, nil, nil)
}

// TestSecondKernelIsRefused names the first one, and does it no harm.
func TestSecondKernelIsRefused(t *testing.T) {
	h := newHouse(t).boot()
	err := h.bootError(fmt.Sprintf("process %d", os.Getpid()), h.home, "astrid stop")
	if !errors.Is(err, kernel.ErrLocked) {
		t.Errorf("%v is not ErrLocked", err)
	}
	h.operator().request(api.MethodGetStatus, nil, nil)
}

// TestBootRefuses damages a home that was used, and wants an error that says
// what is wrong where; the refused boot leaves nothing, and once the damage is
// mended the kernel boots.
func TestBootRefuses(t *testing.T) {
	chmod := func(name string, mode os.FileMode) func(*house) func() {
		return func(h *house) func() {
			path := filepath.Join(h.home, name)
			os.Chmod(path, mode)
			return func() { os.Chmod(path, mode&0o700) }
		}
	}
	for name, c := range map[string]struct {
		damage func(*house) (mend func())
		want   []string
	}{
		"a home open to others":      {chmod(".", 0o755), []string{"open to other users", "0755", "chmod 700"}},
		"a directory open to others": {chmod("var/audit", 0o750), []string{"var/audit", "0750", "chmod 700"}},
		"a run directory of others":  {chmod("run", 0o777), []string{"run", "0777", "chmod 700"}},
		"a key that others can read": {chmod("keys/runtime.key", 0o640), []string{"keys/runtime.key", "other users can read it"}},
		"a truncated key":            {overwrite("keys/runtime.key", []byte("short")), []string{"keys/runtime.key", "5 bytes, want 32"}},
		"a lost key":                 {remove("keys/runtime.key"), []string{"audit"}},
		"a truncated operator's key": {overwrite("keys/default.key", nil), []string{"keys/default.key", "0 bytes, want 32"}},
		"a profile with a typo":      {overwrite("etc/profiles/default.toml", []byte("enabeld = true\n")), []string{"default.toml:1:1", "enabeld"}},
		"a file for a directory":     {replaceDir("var/overlay"), []string{"var/overlay is not a directory"}},
		"a tampered audit log":       {flipAudit, []string{"audit log", "record 1 ", "at byte"}},
		"a store of a newer format":  {newerStore, []string{"store", "format 99", "use the program that wrote it"}},
		"a store that is none":       {overwrite("var/state.db", bytes.Repeat([]byte("no store "), 4096)), []string{"state.db"}},
		"no socket but a file":       {overwrite("run/system.sock", []byte("x")), []string{"system.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).boot()
			if err := shutDown(h.kernel); err != nil {
				t.Fatal(err)
			}
			mend := c.damage(h)
			h.bootError(append(c.want, "boot, ")...)
			mend()
			if got := h.leftovers(); len(got) != 0 {
				t.Errorf("the refused boot left %v", got)
			}
			h.boot().operator().request(api.MethodGetStatus, nil, nil)
		})
	}
}

// overwrite replaces a file's content.
func overwrite(name string, data []byte) func(*house) func() {
	return func(h *house) func() {
		path := filepath.Join(h.home, name)
		old, err := os.ReadFile(path)
		if werr := os.WriteFile(path, data, 0o600); werr != nil {
			h.t.Fatal(werr)
		}
		return func() {
			if err != nil {
				os.Remove(path)
				return
			}
			write(h.t, path, old)
		}
	}
}

func remove(name string) func(*house) func() {
	return func(h *house) func() {
		path := filepath.Join(h.home, name)
		old, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		os.Remove(path)
		return func() { write(h.t, path, old) }
	}
}

func replaceDir(name string) func(*house) func() {
	return func(h *house) func() {
		path := filepath.Join(h.home, name)
		os.Rename(path, path+".away")
		write(h.t, path, nil)
		return func() {
			os.Remove(path)
			os.Rename(path+".away", path)
		}
	}
}

// segment returns the path of the audit log's first segment.
func (h *house) segment() string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.home, "var", "audit", audit.SegmentPattern))
	if err != nil || len(found) == 0 {
		h.t.Fatalf("segments %v, %v", found, err)
	}
	return found[0]
}

func flipAudit(h *house) func() {
	path := h.segment()
	data, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	write(h.t, path, flipped)
	return func() { write(h.t, path, data) }
}

func newerStore(h *house) func() {
	path := filepath.Join(h.home, "var", "state.db")
	old, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("version"), binary.BigEndian.AppendUint64(nil, 99))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		h.t.Fatal(err)
	}
	return func() { write(h.t, path, old) }
}

// TestTornAuditTail: what a crash in the middle of a record left is cut, and the
// next boot records that it was.
func TestTornAuditTail(t *testing.T) {
	h := newHouse(t).boot()
	if err := shutDown(h.kernel); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(h.segment())
	if err != nil {
		t.Fatal(err)
	}
	// The beginning of a frame that was never finished.
	write(t, h.segment(), append(data, data[:10]...))
	h.boot()
	records, err := h.kernel.Audit().Tail(1, func(r audit.Record) bool { return r.Kind == "kernel.boot" })
	if err != nil || len(records) != 1 || !strings.Contains(string(records[0].Body), `"torn_bytes":10`) {
		t.Errorf("the boot's record: %+v, %v", records, err)
	}
}

// TestStaleSocket: a socket that nobody serves does not keep a kernel from
// booting.
func TestStaleSocket(t *testing.T) {
	h := newHouse(t)
	path := filepath.Join(h.home, "run", "system.sock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	h.boot().operator().request(api.MethodGetStatus, nil, nil)
}

// TestHandshakeRefusals: who is not let in is told why as far as it may know,
// and nobody else is disturbed.
func TestHandshakeRefusals(t *testing.T) {
	h := newHouse(t).boot()
	operator := h.operator()
	wrong := filepath.Join(h.home, "run", "wrong.token")
	write(t, wrong, []byte(strings.Repeat("ab", 32)))
	key := h.adopt("alice", principal.NewProfile("agent"))
	for name, c := range map[string]struct {
		config func(*api.Config)
		code   api.Code
	}{
		"a wrong token":        {func(c *api.Config) { c.TokenPath = wrong }, api.CodeDenied},
		"another's key":        {func(c *api.Config) { c.Principal = "default" }, api.CodeDenied},
		"an unknown principal": {func(c *api.Config) { c.Principal = "nobody" }, api.CodeDenied},
	} {
		cfg := h.dialConfig("alice", key)
		c.config(&cfg)
		conn, err := api.Dial(t.Context(), cfg)
		if codeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	operator.request(api.MethodGetStatus, nil, nil)
	if n := h.kernel.TotalConnectionCount(); n != 1 {
		t.Errorf("%d connections are counted, want the operator's", n)
	}
}

// TestRawFrames sends what no client would, before and after the handshake.
func TestRawFrames(t *testing.T) {
	h := newHouse(t).boot()
	operator := h.operator()
	token, err := os.ReadFile(filepath.Join(h.home, "run", "system.token"))
	if err != nil {
		t.Fatal(err)
	}
	hello := fmt.Sprintf(`{"token":%q,"protocol_version":1,"client_version":"t"}`, strings.TrimSpace(string(token)))
	for name, c := range map[string]struct {
		sent []byte
		want string // in what comes back, "" for a connection that just ends
	}{
		"another version":                  {api.AppendFrame(nil, []byte(strings.Replace(hello, ":1,", ":2,", 1))), "version"},
		"garbage":                          {api.AppendFrame(nil, []byte("garbage")), "not a handshake"},
		"too large":                        {[]byte{0xff, 0xff, 0xff, 0xff}, "not a handshake"},
		"half a frame":                     {api.AppendFrame(nil, []byte(hello))[:20], ""},
		"no JSON after the handshake":      {api.AppendFrame(api.AppendFrame(nil, []byte(hello)), []byte("{")), "astrid.v1.response.error"},
		"too large after the handshake":    {append(api.AppendFrame(nil, []byte(hello)), 0xff, 0, 0, 0), "too_large"},
		"half a frame after the handshake": {append(api.AppendFrame(nil, []byte(hello)), 0, 0, 1, 0, '{'), "ok"},
	} {
		if got := h.exchange(c.sent); !strings.Contains(got, c.want) {
			t.Errorf("%s: the answer %q lacks %q", name, got, c.want)
		}
	}
	operator.request(api.MethodGetStatus, nil, nil)
	eventually(t, "the other connections are over", func() bool { return h.kernel.TotalConnectionCount() == 1 })
}

// exchange sends bytes, and returns what comes back before the connection ends.
func (h *house) exchange(sent []byte) string {
	h.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(h.home, "run", "system.sock"), Net: "unix"})
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(sent); err != nil {
		h.t.Fatal(err)
	}
	conn.CloseWrite()
	got, _ := io.ReadAll(conn) // a reset is an end too
	return string(got)
}

// TestRelativeHomeAndMissingWorkspace: what cannot be right is refused before
// anything is made.
func TestRelativeHomeAndMissingWorkspace(t *testing.T) {
	h := newHouse(t)
	h.home = "relative"
	h.bootError("not an absolute path", "ASTRID_HOME")
	h = newHouse(t)
	h.workspace = filepath.Join(h.workspace, "missing")
	h.bootError("workspace")
	if _, err := os.Stat(h.home); err == nil {
		t.Error("a home was made for a workspace that does not exist")
	}
}
