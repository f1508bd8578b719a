package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

var errDisk = errors.New("disk fault")

// faulty fails the step number failAt, counting from zero, and counts steps.
type faulty struct {
	disk
	failAt, step int
}

func (f *faulty) fault() error {
	f.step++
	if f.step-1 == f.failAt {
		return errDisk
	}
	return nil
}

func (f *faulty) open(name string, flag int, mode fs.FileMode) (file, error) {
	if err := f.fault(); err != nil {
		return nil, err
	}
	inner, err := f.disk.open(name, flag, mode)
	return &faultyFile{inner, f}, err
}

func (f *faulty) rename(from, to string) error {
	return errors.Join(f.fault(), f.unless(func() error { return f.disk.rename(from, to) }))
}

func (f *faulty) link(from, to string) error {
	return errors.Join(f.fault(), f.unless(func() error { return f.disk.link(from, to) }))
}

func (f *faulty) unless(do func() error) error {
	if f.step-1 == f.failAt {
		return nil
	}
	return do()
}

type faultyFile struct {
	file
	on *faulty
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.on.fault(); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *faultyFile) Chmod(m fs.FileMode) error { return errors.Join(f.on.fault(), f.file.Chmod(m)) }
func (f *faultyFile) Sync() error               { return errors.Join(f.on.fault(), f.file.Sync()) }

func openTemp(t *testing.T) (*Dir, string) {
	t.Helper()
	path := t.TempDir()
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func TestEachFailingStepIsReportedAndLeavesOldOrNewWhole(t *testing.T) {
	for _, verb := range []string{"replace", "create"} {
		for failAt := 0; ; failAt++ {
			d, path := openTemp(t)
			f := &faulty{disk: d.disk, failAt: failAt}
			old := "absent"
			if verb == "replace" {
				old = "old"
				if err := d.Replace("f", []byte(old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			d.disk = f
			err := map[string]func(string, []byte, fs.FileMode) error{"replace": d.Replace, "create": d.Create}[verb]("f", []byte("new"), 0o644)
			if failAt >= f.step {
				if err != nil {
					t.Fatalf("%s without a fault: %v", verb, err)
				}
				if failAt < 7 {
					t.Fatalf("%s has %d steps: a sync is missing", verb, failAt)
				}
				break
			}
			if !errors.Is(err, errDisk) {
				t.Errorf("%s, step %d failed: got error %v", verb, failAt, err)
			}
			got, err := os.ReadFile(filepath.Join(path, "f"))
			if errors.Is(err, fs.ErrNotExist) {
				got = []byte("absent")
			}
			if s := string(got); s != old && s != "new" {
				t.Errorf("%s, step %d failed: content %q", verb, failAt, s)
			}
			assertNames(t, path)
		}
	}
}

// assertNames fails when a temporary file was left.
func assertNames(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "f" {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	d, path := openTemp(t)
	if err := d.Create("f", []byte("first"), Private); err != nil {
		t.Fatal(err)
	}
	if err := d.Create("f", []byte("second"), Private); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second create: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(path, "f")); err != nil || string(got) != "first" {
		t.Fatalf("content %q, %v", got, err)
	}
	assertNames(t, path)
}

func TestModes(t *testing.T) {
	d, path := openTemp(t)
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o400} {
		name := fmt.Sprintf("m%o", mode)
		if err := d.Replace(name, nil, mode); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
	}
	if err := MkdirAll(filepath.Join(path, "a", "b"), PrivateDir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(path, "a", "b")); err != nil || info.Mode().Perm() != PrivateDir {
		t.Errorf("directory mode %v, %v", info.Mode(), err)
	}
}

func TestAppendAddsAndReportsFaults(t *testing.T) {
	d, path := openTemp(t)
	for range 2 {
		if err := d.Append("log", []byte("x\n"), Private); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(path, "log")); string(got) != "x\nx\n" {
		t.Fatalf("content %q", got)
	}
	for failAt := range 5 {
		d.disk = &faulty{disk: osDisk{d.root}, failAt: failAt}
		if err := d.Append("log", []byte("y\n"), Private); !errors.Is(err, errDisk) {
			t.Errorf("step %d failed: got %v", failAt, err)
		}
	}
}

func TestNamesStayInTheDirectory(t *testing.T) {
	d, _ := openTemp(t)
	for _, name := range []string{"", ".", "..", "../x", "/x", "a/b", tempPrefix + "x"} {
		for verb, err := range map[string]error{
			"replace": d.Replace(name, nil, Private), "create": d.Create(name, nil, Private),
			"append": d.Append(name, nil, Private), "mkdir": d.Mkdir(name, PrivateDir), "remove": d.Remove(name),
		} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s %q: %v", verb, name, err)
			}
		}
	}
}

func TestSweepRemovesOnlyTemporaries(t *testing.T) {
	d, path := openTemp(t)
	for _, name := range []string{"f", tempPrefix + "dead"} {
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Sweep(); err != nil {
		t.Fatal(err)
	}
	assertNames(t, path)
	if _, err := os.Stat(filepath.Join(path, "f")); err != nil {
		t.Error(err)
	}
}
