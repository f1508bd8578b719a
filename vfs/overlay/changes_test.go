package overlay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/vfs"
)

func TestChangesAreSortedByElementAndNameWhatHappened(t *testing.T) {
	r := newRig(t, tree{"a/x": "x", "a-b": "ab", "gone": "g", "d/one": "1", "d/two": "2", "same": "s"})
	r.write("a.b", "new")
	r.write("a/x", "X")
	r.write("a-b", "AB")
	must(t, r.MkdirAll(name(t, "a/empty/dir")))
	must(t, r.Remove(name(t, "gone")))
	r.removeAll("d")
	r.write("same", "other")
	r.write("same", "s")
	r.wantChanges("added a/empty/dir", "modified a/x", "modified a-b", "added a.b", "deleted d/one", "deleted d/two", "deleted gone")
	set, err := r.Changes(t.Context())
	must(t, err)
	if c := set[1]; c.Old.Size != 1 || c.New.Size != 1 || c.Old.Mode != 0o644 {
		t.Errorf("a/x: %+v", c)
	}
	if got := set.Under(r.names("a", "d/two")); len(got) != 3 {
		t.Errorf("under a and d/two: %v", got.paths())
	}
}

func TestAConflictIsMarkedWhereTheWorkspaceChangedBelowAChange(t *testing.T) {
	r := newRig(t, tree{"f": "f", "g": "g", "d/x": "x", "e/y": "y"})
	r.write("f", "F")
	r.write("g", "G")
	r.write("new", "n")
	r.removeAll("d")
	r.write("e/y", "Y")
	plant(t, r.lower, tree{"f": "user", "new": "user", "d/x": "user", "d/foreign": "user"})
	must(t, os.RemoveAll(filepath.Join(r.lower, "e")))
	r.wantChanges("!deleted d/x", "!added e/y", "!modified f", "modified g", "!modified new")
	r.write("f", "user") // both did the same
	r.wantChanges("!deleted d/x", "!added e/y", "modified g", "!modified new")
}

func TestAModeIsAChange(t *testing.T) {
	r := newRig(t, tree{"f": "f"})
	r.write("f", "f")
	r.wantChanges()
	must(t, os.Chmod(filepath.Join(r.lower, "f"), 0o755))
	r.wantChanges("!modified f")
	d := r.diff("f")
	if want := "modified f, mode -rwxr-xr-x to -rw-r--r--\n"; d.Text != want || d.Added+d.Removed != 0 {
		t.Errorf("got %+v, want %q", d, want)
	}
}

func (r *rig) diff(p string) FileDiff {
	r.t.Helper()
	set, err := r.Changes(context.Background())
	must(r.t, err)
	for _, c := range set {
		if c.Path.String() == p {
			d, err := r.Diff(context.Background(), c)
			must(r.t, err)
			return d
		}
	}
	r.t.Fatalf("no change of %s", p)
	return FileDiff{}
}

func TestADiffShowsTextByLineAndSumsUpTheRest(t *testing.T) {
	large := strings.Repeat("line\n", maxDiffBytes/5+1)
	r := newRig(t, tree{"text": "one\ntwo\nthree\n", "gone": "a\nb\n", "marks": "-- x\n", "bin": "\x00\x01", "large": large, "ln": "-> text", "d/sub/x": "x"})
	r.write("text", "one\n2\nthree\nfour\n")
	r.write("new", "n\n")
	must(t, r.Remove(name(t, "gone")))
	r.write("marks", "++ y\n")
	r.write("bin", "\x00\x02\x03")
	r.write("large", large+"more\n")
	must(t, r.Mkdir(name(t, "dir")))
	must(t, r.Remove(name(t, "ln")))
	r.write("ev\nil\x1b[2J\u202e", "e\n")
	for _, c := range []struct {
		path           string
		binary         bool
		added, removed int
		holds          string
	}{
		{"text", false, 2, 1, "--- a/text\n+++ b/text\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n"},
		{"new", false, 1, 0, "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n"},
		{"gone", false, 0, 2, "--- a/gone\n+++ /dev/null\n"},
		{"marks", false, 1, 1, "--- x\n+++ y\n"},
		{"bin", true, 0, 0, "modified bin, -rw-r--r-- 2 bytes to -rw-r--r-- 3 bytes\n"},
		{"large", true, 0, 0, "modified large,"},
		{"dir", true, 0, 0, "added directory dir\n"},
		{"ln", true, 0, 0, "deleted ln, Lrwxrwxrwx"},
		{"ev\nil\x1b[2J\u202e", false, 1, 0, `+++ b/"ev\nil\x1b[2J\u202e"` + "\n"},
	} {
		d := r.diff(c.path)
		if d.Binary != c.binary || d.Added != c.added || d.Removed != c.removed || !strings.Contains(d.Text, c.holds) {
			t.Errorf("%q: got %+v, want %+v", c.path, d, c)
		}
	}
}

func TestCommitAppliesTheChosenPathsAndTheirNewDirectories(t *testing.T) {
	r := newRig(t, tree{"f": "f", "g": "g", "d/x": "x", "d/y": "y", "kind": "file", "sort/in": "i"})
	r.write("f", "F")
	r.write("g", "G")
	must(t, r.MkdirAll(name(t, "new/sub")))
	r.write("new/sub/one", "1")
	r.write("new/sub/two", "2")
	r.removeAll("d")
	must(t, r.Remove(name(t, "kind")))
	must(t, r.Mkdir(name(t, "kind")))
	r.write("kind/now-a-dir", "k")
	r.removeAll("sort")
	r.write("sort", "now a file")
	view := r.view()
	r.commit("f", "new/sub/one", "d/x", "kind/now-a-dir")
	r.wantLower(tree{"f": "F", "g": "g", "new/sub/one": "1", "d/y": "y", "kind/now-a-dir": "k", "sort/in": "i"})
	r.wantChanges("deleted d/y", "modified g", "added new/sub/two", "modified sort", "deleted sort/in")
	r.wantView(view)
	r.open(roomy)
	r.commit()
	r.wantLower(view)
	r.wantView(view)
	r.wantChanges()
	if got := onDisk(t, filepath.Join(r.upper, "data")); len(got) != 0 || r.upper == "" {
		t.Errorf("the upper still holds %v", got)
	}
}

func TestAConflictLeavesBothSidesAndNamesThePaths(t *testing.T) {
	r := newRig(t, tree{"f": "f", "g": "g", "dir/x": "x"})
	r.write("f", "F")
	r.write("g", "G")
	r.removeAll("dir")
	r.write("dir", "a file now")
	plant(t, r.lower, tree{"f": "user", "dir/foreign": "user"})
	view, lower := r.view(), onDisk(t, r.lower)
	_, err := r.Commit(t.Context(), nil)
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v", err)
	}
	same(t, "paths", join(conflict.Paths), "dir, f")
	r.wantLower(lower)
	r.wantView(view)
	r.commit("g")
	r.rollback("f", "dir")
	r.wantChanges()
	r.wantView(tree{"f": "user", "g": "G", "dir/x": "x", "dir/foreign": "user"})
}

func TestADirectoryThatTheWorkspaceTurnedIntoSomethingElseIsAConflict(t *testing.T) {
	outside := t.TempDir()
	r := newRig(t, tree{"d/x": "x", "e/y": "y", "other/z": "z"})
	r.write("d/new", "n")
	r.write("e/new", "n")
	must(t, os.RemoveAll(filepath.Join(r.lower, "d")))
	must(t, os.RemoveAll(filepath.Join(r.lower, "e")))
	must(t, os.Symlink(outside, filepath.Join(r.lower, "d")))
	must(t, os.Symlink("other", filepath.Join(r.lower, "e")))
	for _, path := range []string{"d/new", "e/new", "d", "."} {
		_, err := r.Commit(t.Context(), r.names(path))
		if !errors.As(err, new(*ConflictError)) {
			t.Errorf("commit of %s: %v", path, err)
		}
	}
	r.wantLower(tree{"d": "-> " + outside, "e": "-> other", "other/z": "z"})
	same(t, "outside", onDisk(t, outside), tree{})
}

func TestADirectoryInThePlaceOfALinkIsNotWrittenThroughIt(t *testing.T) {
	r := newRig(t, tree{"real/sub/x": "x", "ln": "-> real"})
	must(t, r.Remove(name(t, "ln")))
	must(t, r.MkdirAll(name(t, "ln/sub")))
	r.write("ln/sub/x", "mine")
	r.wantChanges("modified ln", "added ln/sub/x")
	r.commit()
	r.wantLower(tree{"real/sub/x": "x", "ln/sub/x": "mine"})
	r.wantChanges()
}

func TestADeletedDirectoryKeepsWhatTheAgentNeverSaw(t *testing.T) {
	r := newRig(t, tree{"d/x": "x", "d/sub/y": "y"})
	r.removeAll("d")
	plant(t, r.lower, tree{"d/foreign": "f", "d/sub/foreign": "f"})
	r.wantChanges("deleted d/sub/y", "deleted d/x")
	r.commit()
	r.wantLower(tree{"d/foreign": "f", "d/sub/foreign": "f"})
	r.wantView(tree{"d/foreign": "f", "d/sub/foreign": "f"})
	r.wantChanges()
}

func TestRollbackUnderADeletedDirectoryBringsOnlyThatBack(t *testing.T) {
	r := newRig(t, tree{"d/a": "a", "d/sub/x": "x", "d/sub/y": "y", "keep": "k"})
	r.removeAll("d")
	r.write("keep", "K")
	r.rollback("d/a")
	r.wantView(tree{"d/a": "a", "keep": "K"})
	r.rollback("d/sub/x")
	r.wantView(tree{"d/a": "a", "d/sub/x": "x", "keep": "K"})
	r.open(roomy)
	r.wantChanges("deleted d/sub/y", "modified keep")
	r.rollback("d")
	r.wantChanges("modified keep")
	r.rollback()
	r.wantView(tree{"d/a": "a", "d/sub/x": "x", "d/sub/y": "y", "keep": "k"})
}

func TestRollbackTakesWhatIsInTheWayAlong(t *testing.T) {
	r := newRig(t, tree{"d/a": "a", "d/b": "b"})
	r.removeAll("d")
	r.write("d", "a file now")
	r.rollback("d/a")
	r.wantView(tree{"d/a": "a"})
	r.wantChanges("deleted d/b")
}

func TestRollbackReachesWhatListingRefuses(t *testing.T) {
	r := newRig(t, tree{"f": "f"})
	must(t, r.Mkdir(name(t, "many")))
	for i := range vfs.MaxEntries + 1 {
		r.write("many/"+strings.Repeat("x", 1+i%7)+time.Duration(i).String(), "")
	}
	_, err := r.ReadDir(name(t, "many"))
	wantCode(t, "list", err, vfs.CodeTooLarge)
	r.rollback()
	r.wantView(tree{"f": "f"})
}

func TestCommitAndRollbackNeverTouchOtherFiles(t *testing.T) {
	r := newRig(t, tree{"a/f": "f", "a/other": "o", "b/x": "x", "ln": "-> a/f"})
	long := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	for _, p := range []string{"a/other", "b/x"} {
		must(t, os.Chtimes(filepath.Join(r.lower, p), long, long))
	}
	r.write("a/f", "F")
	r.write("b/x", "X")
	r.write("a/new", "n")
	r.commit("a")
	r.rollback()
	r.wantLower(tree{"a/f": "F", "a/other": "o", "a/new": "n", "b/x": "x", "ln": "-> a/f"})
	for _, p := range []string{"a/other", "b/x"} {
		if i, err := os.Stat(filepath.Join(r.lower, p)); err != nil || !i.ModTime().Equal(long) {
			t.Errorf("%s was touched: %v, %v", p, i.ModTime(), err)
		}
	}
}

func TestACommitThatIsCancelledLeavesNothing(t *testing.T) {
	r := newRig(t, tree{"f": "f"})
	r.write("f", "F")
	r.write("g", "G")
	ctx, cancel := context.WithCancel(t.Context())
	r.reached = func(string) { cancel() }
	if _, err := r.Commit(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	r.wantLower(tree{"f": "f"})
	r.wantChanges("modified f", "added g")
}

func TestWhatSomebodyPutsInTheWayOfACommitIsKeptAsAConflict(t *testing.T) {
	r := newRig(t, tree{"f": "f", "g": "g"})
	r.write("f", "F")
	r.write("new", "n")
	r.reached = func(point string) {
		if point == "journal written" { // somebody makes a directory where a file goes
			must(t, os.MkdirAll(filepath.Join(r.lower, "new/x"), 0o755))
		}
	}
	applied, err := r.Commit(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "new") || len(applied) != 1 {
		t.Fatalf("got %v, %v, want f applied and new named", applied, err)
	}
	r.reached = func(string) {}
	r.write("g", "G")
	must(t, os.RemoveAll(filepath.Join(r.lower, "new")))
	r.wantLower(tree{"f": "F", "g": "g"})
	r.wantChanges("modified g", "added new")
}

// TestRecoveryKeepsWhatSomebodyDidAfterTheCrash ends a commit at each point
// behind its commit point, lets a person work, and opens the overlay again.
func TestRecoveryKeepsWhatSomebodyDidAfterTheCrash(t *testing.T) {
	for _, point := range []string{"journal written", "applied a"} {
		for what, person := range map[string]func(path string) error{
			"edits the file": func(p string) error { return os.WriteFile(p, []byte("mine"), 0o644) },
			"makes a directory there": func(p string) error {
				return errors.Join(os.Remove(p), os.MkdirAll(filepath.Join(p, "mine"), 0o755))
			},
		} {
			r := newRig(t, tree{"a": "a", "b": "b"})
			r.write("a", "A")
			r.write("b", "B")
			r.reached = func(at string) {
				if at == point {
					panic("crash")
				}
			}
			func() {
				defer func() { _ = recover() }()
				_, _ = r.Commit(t.Context(), nil)
			}()
			must(t, person(filepath.Join(r.lower, "b")))
			lower, err := vfs.OpenHost(r.lower)
			must(t, err)
			again, err := Open(Config{Lower: lower, UpperDir: r.upper, MaxBytes: roomy})
			if err != nil {
				t.Fatalf("%s, a person %s: the overlay does not open: %v", point, what, err)
			}
			set, err := again.Changes(t.Context())
			if err != nil || len(set) != 1 || set[0].Path != name(t, "b") || !set[0].Conflict {
				t.Errorf("%s, a person %s: changes %+v, %v, want a conflict at b", point, what, set, err)
			}
			if got, err := os.ReadFile(filepath.Join(r.lower, "a")); err != nil || string(got) != "A" {
				t.Errorf("%s, a person %s: a is %q, %v, want it committed", point, what, got, err)
			}
			if got, err := os.ReadFile(filepath.Join(r.lower, "b")); err == nil && string(got) != "mine" {
				t.Errorf("%s, a person %s: b is %q, want the person's", point, what, got)
			}
			must(t, again.Close())
		}
	}
}

func TestTwoOverlaysNeverCommitOverEachOther(t *testing.T) {
	for range 20 {
		a := newRig(t, tree{"f": "f"})
		b, err := Open(Config{Lower: a.Overlay.lower, UpperDir: t.TempDir(), MaxBytes: roomy})
		must(t, err)
		a.write("f", "from a")
		must(t, b.WriteFile(name(t, "f"), []byte("from b")))
		done := make(chan error)
		for _, o := range []*Overlay{a.Overlay, b} {
			go func() { done <- second(o.Commit(context.Background(), nil)) }()
		}
		failed := 0
		for range 2 {
			if err := <-done; errors.As(err, new(*ConflictError)) {
				failed++
			}
		}
		if failed != 1 {
			t.Fatalf("%d commits met a conflict, want 1", failed)
		}
		must(t, b.Close())
	}
}

func TestANewFileInADirectoryThatTheUserRemovedIsAConflict(t *testing.T) {
	r := newRig(t, tree{"d/x": "x"})
	r.write("d/new", "n")
	must(t, os.RemoveAll(filepath.Join(r.lower, "d")))
	_, err := r.Commit(t.Context(), r.names("d/new"))
	var conflict *ConflictError
	if !errors.As(err, &conflict) || join(conflict.Paths) != "d" {
		t.Fatalf("got %v", err)
	}
	r.wantLower(tree{})
}

func TestADiffShowsAFileWithoutPermissions(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root reads a file without permissions")
	}
	r := newRig(t, tree{"locked": "old\n"})
	must(t, os.Chmod(filepath.Join(r.lower, "locked"), 0))
	r.write("locked", "new\n")
	set, err := r.Changes(t.Context())
	must(t, err)
	d, err := r.Diff(t.Context(), set[0])
	if err != nil || !strings.Contains(d.Text, "-old") || !strings.Contains(d.Text, "+new") {
		t.Errorf("got %+v, %v, want both lines", d, err)
	}
}

func TestAPrivateDirectoryStaysPrivate(t *testing.T) {
	r := newRig(t, tree{"private/key": "k"})
	must(t, os.Chmod(filepath.Join(r.lower, "private"), 0o700))
	must(t, r.Rename(name(t, "private"), name(t, "moved")))
	r.commit()
	i, err := os.Stat(filepath.Join(r.lower, "moved"))
	if err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want mode 0700", i, err)
	}
}

func TestADirectoryTakesThePlaceOfALinkThatLedOut(t *testing.T) {
	r := newRig(t, tree{"c/keep": "k"})
	must(t, os.Symlink("/etc", filepath.Join(r.lower, "c", "d")))
	must(t, r.Remove(name(t, "c/d")))
	must(t, r.MkdirAll(name(t, "c/d/a/b")))
	r.write("c/d/a/b/f", "inside")
	r.commit()
	got, err := os.ReadFile(filepath.Join(r.lower, "c", "d", "a", "b", "f"))
	if err != nil || string(got) != "inside" {
		t.Errorf("got %q, %v, want the file in a directory of its own", got, err)
	}
}
