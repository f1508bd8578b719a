package kernel

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/astrid-go/astrid/internal/durable"
)

// homeDirs are made at boot, each with mode 0700. The layout is that of the
// system we are compatible with, but for what it keeps in places that a guest
// can reach: the audit log and the overlays live under var.
func homeDirs() []string {
	return []string{
		"etc", "etc/profiles", "var", "var/audit", "var/overlay", "var/cache", "run", "log", "keys", "bin", "home",
	}
}

// openHome makes the home and its directories and returns a handle on it.
// Nothing else is opened before the lock is held.
func openHome(dir string) (*os.Root, error) {
	if !filepath.IsAbs(dir) || strings.Contains(dir, "\x00") {
		return nil, fmt.Errorf("home %q is not an absolute path: set ASTRID_HOME to one", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the home: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the home: %w", err)
	}
	for _, name := range append([]string{"."}, homeDirs()...) {
		if err := privateDir(root, name); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return root, nil
}

// privateDir makes a directory of the home, or checks that the one there is
// ours alone. A wrong mode is not mended in silence: whoever could write there
// may have done so.
func privateDir(root *os.Root, name string) error {
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s in the home: %w", name, err)
	}
	info, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("look at %s in the home: %w", name, err)
	}
	path := filepath.Join(root.Name(), name)
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory: move it away", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %#o): check what is in it, then chmod 700 %s",
			path, info.Mode().Perm(), path)
	}
	return nil
}

// ErrLocked is returned by [New] when another kernel holds the home.
var ErrLocked = errors.New("another daemon holds this home")

// lockHome takes the one lock of the home, before any store is opened. The lock
// belongs to the open file: it goes with the process, however that ends.
func lockHome(root *os.Root) (*os.File, error) {
	f, err := root.OpenFile("run/system.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the home: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		return nil, fmt.Errorf("%w (%s, process %s): stop it with `astrid stop` or use another ASTRID_HOME",
			ErrLocked, root.Name(), strings.TrimSpace(string(pid)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the home: %w", err), f.Close())
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(fmt.Errorf("write the lock of the home: %w", err), f.Close())
	}
	return f, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// loadKey returns the ed25519 key in a file of 32 bytes, made on first use with
// mode 0600 from the first byte. A key that others can read is refused.
func loadKey(root *os.Root, name string) (ed25519.PrivateKey, error) {
	seed, err := readSeed(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		seed, err = makeSeed(root, name)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", filepath.Join(root.Name(), name), err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func readSeed(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other users can read it (mode %#o): replace it, it may be known", info.Mode().Perm())
	}
	seed, err := io.ReadAll(io.LimitReader(f, ed25519.SeedSize+1))
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("it has %d bytes, want %d: restore it from a backup", len(seed), ed25519.SeedSize)
	}
	return seed, nil
}

// makeSeed writes a new key. It is whole or absent whatever happens, and a key
// that is there is never replaced.
func makeSeed(root *os.Root, name string) ([]byte, error) {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	dir, err := root.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	d := durable.FromRoot(dir)
	err = d.Create(filepath.Base(name), seed, durable.Private)
	return seed, errors.Join(err, d.Close())
}
