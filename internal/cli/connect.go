package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/astrid-go/astrid/api"
)

// requestTimeout bounds a request to the daemon; tool calls have their own.
const requestTimeout = time.Minute

// errNoDaemon is the class "unavailable".
var errNoDaemon = errors.New("no daemon is running")

// Home resolves the home: the flag, then ASTRID_HOME, then ~/.astrid.
func (a *App) Home() (string, error) {
	dir := a.home
	if dir == "" {
		dir = a.Env("ASTRID_HOME")
	}
	if dir != "" {
		if !filepath.IsAbs(dir) {
			return "", usageError{fmt.Errorf("home %q is not an absolute path", dir)}
		}
		return filepath.Clean(dir), nil
	}
	user := a.Env("HOME")
	if !filepath.IsAbs(user) {
		return "", usageError{errors.New("HOME is not set; set ASTRID_HOME to an absolute path")}
	}
	return filepath.Join(user, ".astrid"), nil
}

func (a *App) principalName() string {
	if a.who != "" {
		return a.who
	}
	if p := a.Env("ASTRID_PRINCIPAL"); p != "" {
		return p
	}
	return "default"
}

// named reports whether the principal was chosen; the default one has no key
// before the first start, and then there is no daemon either.
func (a *App) named() bool { return a.who != "" || a.Env("ASTRID_PRINCIPAL") != "" }

// dial connects to the daemon as the principal of the command line.
func (a *App) dial(ctx context.Context) (*api.Client, error) {
	home, err := a.Home()
	if err != nil {
		return nil, err
	}
	who := a.principalName()
	signer, err := readKey(filepath.Join(home, "keys", who+".key"))
	if err != nil && (a.named() || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fmt.Errorf("read the key of principal %s: %w", who, err)
	}
	client, err := api.Dial(ctx, api.Config{
		SocketPath: filepath.Join(home, "run", "system.sock"),
		TokenPath:  filepath.Join(home, "run", "system.token"),
		Principal:  who,
		Signer:     signer,
		Version:    a.Version,
	})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w for home %s: start one with `astrid start`", errNoDaemon, home)
	}
	return client, err
}

// readKey reads a principal's private key: 32 bytes, the seed, in a file that
// nobody else can read.
func readKey(path string) (ed25519.PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %#o): chmod 600 it", path, info.Mode().Perm())
	}
	seed := make([]byte, ed25519.SeedSize+1)
	n, err := io.ReadFull(f, seed)
	if !errors.Is(err, io.ErrUnexpectedEOF) || n != ed25519.SeedSize {
		return nil, fmt.Errorf("%s is not a key: want %d bytes", path, ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed[:n]), nil
}

// request sends one kernel request and decodes its reply into reply, which may
// be nil.
func (a *App) request(ctx context.Context, method string, params, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	client, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Request(ctx, method, params, reply)
}
