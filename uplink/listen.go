package uplink

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// SocketFile is the name of the socket in the run directory.
const SocketFile = "system.sock"

// probeTimeout bounds the question whether somebody serves an existing socket.
const probeTimeout = time.Second

// ErrServed is wrapped by Listen when another process answers on the socket.
var ErrServed = errors.New("another daemon answers on the socket")

// Listen binds the socket in runDir, which is made with mode 0700 if need be and
// refused when others can enter it. A socket that nobody serves is replaced; a
// symlink or anything else in its place is refused. Closing the listener removes
// the socket.
func Listen(runDir string) (*net.UnixListener, error) {
	path := filepath.Join(runDir, SocketFile)
	if len(path) >= maxSocketPath() {
		return nil, fmt.Errorf("socket path %s has %d bytes, this system allows %d: use a shorter ASTRID_HOME",
			path, len(path), maxSocketPath()-1)
	}
	if err := checkRunDir(runDir); err != nil {
		return nil, err
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("bind the socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // nobody else could enter the directory meanwhile
		return nil, errors.Join(fmt.Errorf("protect the socket: %w", err), l.Close())
	}
	return l, nil
}

// maxSocketPath is the size of sun_path, the final NUL included.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 108
	}
	return 104
}

func checkRunDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the run directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check the run directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("run directory %s is not a directory: move it away", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("run directory %s is open to others (mode %#o): chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}

// clearStale removes a socket that refuses connections, and only that.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check for an old socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the place of the socket and is none (%s): move it away", path, info.Mode().Type())
	}
	conn, err := net.DialTimeout("unix", path, probeTimeout)
	if err == nil {
		return errors.Join(fmt.Errorf("%w %s", ErrServed, path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("probe the old socket: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the old socket: %w", err)
	}
	return nil
}
