package uplink

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runDir is short, because the path of a socket has to be.
func runDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestListenIsForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run") // made by Listen
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, SocketFile): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if _, err := Listen(dir); !errors.Is(err, ErrServed) {
		t.Errorf("a second listener: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, SocketFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestListenReplacesASocketThatNobodyServes(t *testing.T) {
	dir := runDir(t)
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketFile), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false) // as a process that is killed
	old.Close()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestListenRefuses(t *testing.T) {
	for _, c := range []struct {
		rule, want string
		prepare    func(t *testing.T, dir, socket string)
	}{
		{"a symlink in place of the socket", "is in the place of the socket and is none", func(t *testing.T, dir, socket string) {
			must(t, os.Symlink(filepath.Join(dir, "elsewhere"), socket))
		}},
		{"a file in place of the socket", "is in the place of the socket and is none", func(t *testing.T, _, socket string) {
			must(t, os.WriteFile(socket, nil, 0o600))
		}},
		{"a pipe in place of the socket", "is in the place of the socket and is none", func(t *testing.T, _, socket string) {
			must(t, syscall.Mkfifo(socket, 0o600))
		}},
		{"a directory that others can enter", "chmod 700 it", func(t *testing.T, dir, _ string) {
			must(t, os.Chmod(dir, 0o711))
		}},
		{"a symlink in place of the directory", "is not a directory", func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir, dir+"2"))
			must(t, os.Symlink(dir+"2", dir))
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			dir := runDir(t)
			socket := filepath.Join(dir, SocketFile)
			c.prepare(t, dir, socket)
			before, _ := os.Lstat(socket)
			if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			after, _ := os.Lstat(socket)
			if (before == nil) != (after == nil) || before != nil && !os.SameFile(before, after) {
				t.Error("what was there is changed")
			}
		})
	}
	t.Run("a path that no socket can have", func(t *testing.T) {
		_, err := Listen("/tmp/" + strings.Repeat("x", maxSocketPath()))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("this system allows %d", maxSocketPath()-1)) {
			t.Fatal(err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheTokenIsNewPrivateAndSilent(t *testing.T) {
	dir := runDir(t)
	must(t, os.WriteFile(filepath.Join(dir, TokenFile+".tmp"), []byte("left by a crash"), 0o644))
	first, err := CreateToken(dir)
	must(t, err)
	second, err := CreateToken(dir)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(dir, TokenFile))
	must(t, err)
	info, err := os.Stat(filepath.Join(dir, TokenFile))
	must(t, err)
	if raw, err := hex.DecodeString(string(text)); err != nil || len(raw) != 32 || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file holds %q with mode %v", text, info.Mode())
	}
	if !second.matches(string(text)) || first.matches(string(text)) || (Token{}).matches("") || second.matches("") {
		t.Error("matches what it should not, or not what it should")
	}
	shown := fmt.Sprintf("%v %+v %#v %s %v", second, second, second, second, second.LogValue())
	if strings.Contains(shown, string(text)) {
		t.Errorf("shows itself in %s", shown)
	}
	if _, err := second.MarshalText(); err == nil {
		t.Error("was written down")
	}
	must(t, RemoveToken(dir))
	must(t, RemoveToken(dir))
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestANewTokenThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	dir := runDir(t)
	token, err := CreateToken(dir)
	must(t, err)
	// Something that cannot be removed stands where the unfinished file goes.
	must(t, os.MkdirAll(filepath.Join(dir, TokenFile+".tmp", "x"), 0o700))
	if _, err := CreateToken(dir); err == nil {
		t.Fatal("created")
	}
	text, err := os.ReadFile(filepath.Join(dir, TokenFile))
	if err != nil || !token.matches(string(text)) {
		t.Fatalf("the old token is %q, %v", text, err)
	}
}
