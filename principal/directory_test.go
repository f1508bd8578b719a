package principal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openDirectory(t *testing.T) (*Directory, string) {
	t.Helper()
	etc := t.TempDir()
	d, err := OpenDirectory(etc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, etc
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestUnknownPrincipalsHaveNoProfile(t *testing.T) {
	d, etc := openDirectory(t)
	write(t, filepath.Join(etc, "profiles", "anonymous.toml"), "groups = [\"admin\"]\n", 0o600)
	write(t, filepath.Join(etc, "profiles", ".toml"), "groups = [\"admin\"]\n", 0o600)
	for _, id := range []ID{Default(), Anonymous(), {}} {
		if p, err := d.Lookup(id); !errors.Is(err, ErrUnknown) || p.Enabled {
			t.Errorf("Lookup(%q) = %+v, %v", id, p, err)
		}
	}
}

func TestCreateStoresOnceAndPrivately(t *testing.T) {
	d, etc := openDirectory(t)
	first := NewProfile("agent")
	if err := d.Create(Default(), first); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(Default(), NewProfile("admin")); !errors.Is(err, ErrExists) {
		t.Errorf("second create: %v", err)
	}
	got, err := d.Lookup(Default())
	if err != nil || !cmp.Equal(got.Groups, first.Groups) || got.Source != "profiles/default.toml" {
		t.Errorf("read %+v, %v", got, err)
	}
	names, err := os.ReadDir(filepath.Join(etc, "profiles"))
	if err != nil || len(names) != 1 {
		t.Fatalf("left behind %v, %v", names, err)
	}
	if info, err := names[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	bad := NewProfile("a b")
	if err := d.Create(ID{name: "bob"}, bad); err == nil {
		t.Error("a malformed profile was stored")
	}
	for _, id := range []ID{{}, Anonymous()} {
		if err := d.Create(id, first); !errors.Is(err, ErrInvalidID) {
			t.Errorf("Create(%q) = %v", id, err)
		}
	}
}

func TestAFailedCreateLeavesNoProfile(t *testing.T) {
	d, etc := openDirectory(t)
	profiles := filepath.Join(etc, "profiles")
	if err := os.Remove(profiles); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(Default(), NewProfile("admin")); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("created in a directory that is gone: %v", err)
	}
	if _, err := d.Lookup(Default()); !errors.Is(err, ErrUnknown) {
		t.Errorf("after a failed create: %v", err)
	}
}

func TestCreateRacesHaveOneWinner(t *testing.T) {
	d, _ := openDirectory(t)
	var wg sync.WaitGroup
	won := make(chan struct{}, 8)
	for range cap(won) {
		wg.Go(func() {
			err := d.Create(Default(), NewProfile())
			if err == nil {
				won <- struct{}{}
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d creators won", len(won))
	}
}

func TestEditsAreSeenAndBrokenOnesDeny(t *testing.T) {
	d, etc := openDirectory(t)
	path := filepath.Join(etc, "profiles", "default.toml")
	write(t, path, "grants = [\"a\"]\n", 0o600)
	if p, err := d.Lookup(Default()); err != nil || p.Grants[0] != "a" {
		t.Fatalf("%+v, %v", p, err)
	}
	write(t, path, "grants = [\"longer\"]\n", 0o600)
	if p, err := d.Lookup(Default()); err != nil || p.Grants[0] != "longer" {
		t.Errorf("after an edit: %+v, %v", p, err)
	}
	write(t, path, "grant = [\"longer\"]\n", 0o600)
	if p, err := d.Lookup(Default()); err == nil || p.Enabled || errors.Is(err, ErrUnknown) {
		t.Errorf("after a broken edit: %+v, %v", p, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lookup(Default()); !errors.Is(err, ErrUnknown) {
		t.Errorf("after removal: %v", err)
	}
}

func TestForgetMakesTheNextLookupRead(t *testing.T) {
	d, etc := openDirectory(t)
	path := filepath.Join(etc, "profiles", "default.toml")
	write(t, path, "grants = [\"a\"]\n", 0o600)
	before, err := os.Stat(path)
	if _, lookupErr := d.Lookup(Default()); err != nil || lookupErr != nil {
		t.Fatal(err, lookupErr)
	}
	write(t, path, "grants = [\"b\"]\n", 0o600)
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	d.Forget(Default())
	if p, err := d.Lookup(Default()); err != nil || p.Grants[0] != "b" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAChangeOfSizeAloneIsSeen(t *testing.T) {
	d, etc := openDirectory(t)
	path := filepath.Join(etc, "profiles", "default.toml")
	write(t, path, "grants = [\"a\"]\n", 0o600)
	before, err := os.Stat(path)
	if _, lookupErr := d.Lookup(Default()); err != nil || lookupErr != nil {
		t.Fatal(err, lookupErr)
	}
	write(t, path, "grants = []\n", 0o600)
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if p, err := d.Lookup(Default()); err != nil || len(p.Grants) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestUnsafeFilesGrantNothing(t *testing.T) {
	for _, tc := range []struct {
		rule string
		make func(t *testing.T, path string)
		want string
	}{
		{"writable by the group", func(t *testing.T, path string) { write(t, path, "", 0o620) }, "chmod 600"},
		{"writable by all", func(t *testing.T, path string) { write(t, path, "", 0o602) }, "chmod 600"},
		{"a link", func(t *testing.T, path string) {
			write(t, path+".real", "", 0o600)
			if err := os.Symlink(filepath.Base(path)+".real", path); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		{"too big", func(t *testing.T, path string) { write(t, path, strings.Repeat("#", MaxFileBytes+1), 0o600) }, "at most"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			d, etc := openDirectory(t)
			tc.make(t, filepath.Join(etc, "profiles", "default.toml"))
			if p, err := d.Lookup(Default()); err == nil || p.Enabled || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

func TestGroupsFileIsReadAgainAndBrokenOnesDeny(t *testing.T) {
	d, etc := openDirectory(t)
	path := filepath.Join(etc, "groups.toml")
	if g, err := d.Groups(); err != nil || len(g.Names()) != 3 {
		t.Fatalf("without a file: %v, %v", g.Names(), err)
	}
	write(t, path, "[groups.ops]\ncapabilities = []\n", 0o600)
	if g, err := d.Groups(); err != nil || len(g.Names()) != 4 {
		t.Errorf("with a file: %v, %v", g.Names(), err)
	}
	write(t, path, "[groups.ops]\ncapabilities = [\"*\"]\n", 0o600)
	if g, err := d.Groups(); err == nil || len(g.Names()) != 0 {
		t.Errorf("with a broken file: %v, %v", g.Names(), err)
	}
	if _, err := OpenDirectory(etc); err == nil {
		t.Error("a directory with broken groups was opened")
	}
}

func BenchmarkLookup(b *testing.B) {
	d, err := OpenDirectory(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Create(Default(), NewProfile("admin")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.Lookup(Default()); err != nil {
			b.Fatal(err)
		}
	}
}
