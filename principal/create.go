package principal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrExists is wrapped by Create when the principal already has a profile.
var ErrExists = errors.New("principal exists")

// Create stores the profile of a new principal, mode 0600 from its first byte, and never replaces one. When it
// returns nil the profile survives power loss; the commit point is the link of the finished file to its name. A crash
// before it leaves at most a temporary file whose name no principal can have.
func (d *Directory) Create(id ID, p Profile) error {
	if id.IsZero() || id == Anonymous() {
		return fmt.Errorf("create profile: %w: %q cannot have one", ErrInvalidID, id.name)
	}
	if err := p.check(); err != nil {
		return fmt.Errorf("create profile of %s: %w", id, err)
	}
	temporary := "." + rand.Text()
	if err := writeNew(d.profiles, temporary, p.Encode()); err != nil {
		return errors.Join(fmt.Errorf("create profile of %s: %w", id, err), discard(d.profiles, temporary))
	}
	err := d.profiles.Link(temporary, id.name+".toml")
	cleanup := discard(d.profiles, temporary)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, id)
	}
	if err := errors.Join(err, cleanup, syncDir(d.profiles)); err != nil {
		return fmt.Errorf("create profile of %s: %w", id, err)
	}
	d.Forget(id)
	return nil
}

func writeNew(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func discard(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
