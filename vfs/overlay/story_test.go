package overlay

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/astrid-go/astrid/vfs"
)

func TestWhatNobodyChangedIsReadFromTheWorkspace(t *testing.T) {
	files := tree{"a.txt": "a", "dir/b.txt": "b", "dir/empty": "dir"}
	r := newRig(t, files)
	r.wantView(files)
	r.wantChanges()
	must(t, os.WriteFile(filepath.Join(r.lower, "a.txt"), []byte("edited by the user"), 0o644))
	if got := r.view()["a.txt"]; got != "edited by the user" {
		t.Errorf("read %q", got)
	}
}

func TestChangesShowInTheViewAndLeaveTheWorkspaceAlone(t *testing.T) {
	before := tree{"a.txt": "a", "dir/b.txt": "b", "dir/c/d.txt": "d", "gone/x": "x", "moved/y": "y", "moved/z/w": "w"}
	r := newRig(t, before)
	r.write("a.txt", "A")
	r.write("dir/new.txt", "new")
	must(t, r.Append(name(t, "dir/b.txt"), []byte("+more")))
	must(t, r.Append(name(t, "log"), []byte("first")))
	must(t, r.Mkdir(name(t, "made")))
	must(t, r.MkdirAll(name(t, "deep/er/est")))
	must(t, r.Remove(name(t, "dir/c/d.txt")))
	r.removeAll("gone")
	must(t, r.Rename(name(t, "moved"), name(t, "dir/arrived")))
	must(t, r.Rename(name(t, "dir/new.txt"), name(t, "dir/newer.txt")))
	want := tree{"a.txt": "A", "dir/newer.txt": "new", "dir/b.txt": "b+more", "log": "first", "made": "dir",
		"deep/er/est": "dir", "dir/c": "dir", "dir/arrived/y": "y", "dir/arrived/z/w": "w"}
	r.wantView(want)
	r.wantLower(before)
	changes := r.changed()
	r.open(roomy)
	r.wantView(want)
	same(t, "changes after a restart", r.changed(), changes)
}

func TestAWriteKeepsTheMode(t *testing.T) {
	r := newRig(t, tree{"run.sh": "echo", "secret": "s"})
	must(t, os.Chmod(filepath.Join(r.lower, "run.sh"), 0o755))
	must(t, os.Chmod(filepath.Join(r.lower, "secret"), 0o600))
	for p, mode := range map[string]os.FileMode{"run.sh": 0o755, "secret": 0o600, "new": 0o644} {
		r.write(p, "changed")
		i, err := r.Stat(name(t, p))
		must(t, err)
		if i.Mode != mode || i.Size != 7 {
			t.Errorf("%s: mode %v, %d bytes; want %v", p, i.Mode, i.Size, mode)
		}
		r.commit(p)
		if i, err := os.Stat(filepath.Join(r.lower, p)); err != nil || i.Mode() != mode {
			t.Errorf("%s in the workspace: %v, %v; want %v", p, i.Mode(), err, mode)
		}
	}
}

func TestADirectoryThatLeadsToAChangeKeepsItsMode(t *testing.T) {
	r := newRig(t, tree{"private/f": "f"})
	must(t, os.Chmod(filepath.Join(r.lower, "private"), 0o700))
	r.write("private/f", "F")
	if i, err := r.Stat(name(t, "private")); err != nil || i.Mode.Perm() != 0o700 {
		t.Errorf("got %v, %v", i.Mode, err)
	}
}

func TestWhatIsMadeAnewOverADeletionStartsEmpty(t *testing.T) {
	r := newRig(t, tree{"dir/a": "a", "dir/sub/b": "b", "file": "f"})
	r.removeAll("dir")
	must(t, r.Mkdir(name(t, "dir")))
	r.wantView(tree{"dir": "dir", "file": "f"})
	r.write("dir/c", "c")
	must(t, r.Remove(name(t, "file")))
	must(t, r.Mkdir(name(t, "file")))
	r.write("file/inside", "i")
	r.removeAll("dir/c")
	r.write("dir/a", "a")
	r.wantView(tree{"dir/a": "a", "file/inside": "i"})
	r.wantChanges("deleted dir/sub/b", "modified file", "added file/inside")
}

func TestWhatTheAgentMadeAndRemovedLeavesNoTrace(t *testing.T) {
	r := newRig(t, tree{"a": "a"})
	for range 3000 { // more than the log keeps
		r.write("tmp", "t")
		must(t, r.Remove(name(t, "tmp")))
	}
	r.wantChanges()
	if len(r.index.base)+len(r.index.white) != 0 || r.index.lines > 2*slack {
		t.Errorf("the index keeps %d bases, %d whiteouts, %d lines", len(r.index.base), len(r.index.white), r.index.lines)
	}
	plant(t, r.lower, tree{"tmp": "by the user"})
	r.write("tmp", "changed")
	r.wantChanges("modified tmp")
}

func TestRefusalsNameTheReason(t *testing.T) {
	r := newRig(t, tree{"file": "f", "dir/in": "i", "empty": "dir"})
	r.write("upper", "u")
	for _, c := range []struct {
		what string
		err  error
		code vfs.Code
	}{
		{"read of nothing", second(r.ReadFile(name(t, "none"))), vfs.CodeNotFound},
		{"read of a directory", second(r.ReadFile(name(t, "dir"))), vfs.CodeIsDirectory},
		{"read below a file", second(r.ReadFile(name(t, "file/x"))), vfs.CodeNotDirectory},
		{"read below a file of the upper", second(r.ReadFile(name(t, "upper/x"))), vfs.CodeNotDirectory},
		{"list of a file", second(r.ReadDir(name(t, "file"))), vfs.CodeNotDirectory},
		{"write of a directory", r.WriteFile(name(t, "dir"), nil), vfs.CodeIsDirectory},
		{"write below nothing", r.WriteFile(name(t, "none/x"), nil), vfs.CodeNotFound},
		{"write below a file", r.WriteFile(name(t, "file/x"), nil), vfs.CodeNotDirectory},
		{"making what exists", r.Mkdir(name(t, "dir")), vfs.CodeExists},
		{"making the root", r.Mkdir(vfs.Root()), vfs.CodeExists},
		{"making through a file", r.MkdirAll(name(t, "file/x")), vfs.CodeNotDirectory},
		{"removing a full directory", r.Remove(name(t, "dir")), vfs.CodeNotEmpty},
		{"removing the root", second(r.RemoveAll(vfs.Root())), vfs.CodeAccess},
		{"removing nothing", r.Remove(name(t, "none")), vfs.CodeNotFound},
		{"moving nothing", r.Rename(name(t, "none"), name(t, "none")), vfs.CodeNotFound},
		{"moving into itself", r.Rename(name(t, "dir"), name(t, "dir/in2")), vfs.CodeInvalid},
		{"moving over a directory", r.Rename(name(t, "file"), name(t, "empty")), vfs.CodeExists},
		{"reading a file as a link", second(r.ReadLink(name(t, "file"))), vfs.CodeInvalid},
		{"a file that is too large", r.WriteFile(name(t, "big"), make([]byte, vfs.MaxFileBytes+1)), vfs.CodeTooLarge},
		{"a name that is too long", r.WriteFile(name(t, strings.Repeat("x", 300)), nil), vfs.CodeInvalid},
	} {
		wantCode(t, c.what, c.err, c.code)
		if strings.Contains(c.err.Error(), r.lower) || strings.Contains(c.err.Error(), r.upper) {
			t.Errorf("%s: %v shows a path of the host", c.what, c.err)
		}
	}
	r.wantChanges("added upper")
}

func second[T any](_ T, err error) error { return err }

func TestLinksAreFollowedInsideAndNeverOut(t *testing.T) {
	outside := t.TempDir()
	plant(t, outside, tree{"secret": "s"})
	r := newRig(t, tree{
		"real/file": "f", "here": "-> real/file", "dir": "-> real", "real/up": "-> ../real/file", "a/b/far": "-> ../../dir/up",
		"abs": "-> " + outside, "etc": "-> /etc/passwd", "out": "-> ../", "chain1": "-> chain2", "chain2": "-> real/../../x",
		"loop": "-> loop", "ping": "-> pong", "pong": "-> ping", "dangling": "-> real/none", "odd": "-> real/\xff",
	})
	for _, p := range []string{"here", "dir/file", "real/up", "a/b/far", "dir/up"} {
		if got, err := r.ReadFile(name(t, p)); err != nil || string(got) != "f" {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	for _, p := range []string{"abs/secret", "abs", "etc", "out", "out/x", "chain1", "loop", "loop/x", "ping"} {
		_, err := r.ReadFile(name(t, p))
		wantCode(t, "read "+p, err, vfs.CodeEscape)
		wantCode(t, "write "+p, r.WriteFile(name(t, p), []byte("pwned")), vfs.CodeEscape)
		wantCode(t, "append "+p, r.Append(name(t, p), []byte("pwned")), vfs.CodeEscape)
		wantCode(t, "list "+p, second(r.ReadDir(name(t, p))), vfs.CodeEscape)
		wantCode(t, "stat "+p, second(r.Stat(name(t, p))), vfs.CodeEscape)
	}
	wantCode(t, "moving out", r.Rename(name(t, "here"), name(t, "abs/x")), vfs.CodeEscape)
	wantCode(t, "a link to no name", r.WriteFile(name(t, "odd"), nil), vfs.CodeInvalid)
	r.wantChanges()
	r.write("dir/file", "through a link")
	r.write("dangling", "made where the link leads")
	must(t, r.Remove(name(t, "abs")))
	r.wantChanges("deleted abs", "modified real/file", "added real/none")
	r.commit()
	same(t, "outside", onDisk(t, outside), tree{"secret": "s"})
}

func TestALinkInTheUpperCannotLeadOutEither(t *testing.T) {
	r := newRig(t, tree{"deep/in/up": "-> ../../top", "top": "t", "f": "f", "g": "g"})
	must(t, r.Rename(name(t, "deep/in/up"), name(t, "up")))
	_, err := r.ReadFile(name(t, "up"))
	wantCode(t, "a relative link that was moved up", err, vfs.CodeEscape)
	r.write("f", "F")
	must(t, r.Rename(name(t, "up"), name(t, "f")))
	must(t, r.Rename(name(t, "f"), name(t, "g")))
	r.wantChanges("deleted deep/in/up", "deleted f", "modified g")
	r.commit()
	r.wantLower(tree{"deep/in": "dir", "top": "t", "g": "-> ../../top"})
}

func TestTheQuotaCountsWhatTheUpperHolds(t *testing.T) {
	r := newRig(t, tree{"big": strings.Repeat("b", 500), "small": "s"})
	r.open(1000)
	r.write("f", strings.Repeat("f", 900))
	wantCode(t, "one more", r.WriteFile(name(t, "g"), make([]byte, 101)), vfs.CodeQuota)
	wantCode(t, "an append", r.Append(name(t, "f"), make([]byte, 101)), vfs.CodeQuota)
	wantCode(t, "a copy by moving", r.Rename(name(t, "big"), name(t, "moved")), vfs.CodeQuota)
	r.write("f", strings.Repeat("f", 1000))
	must(t, r.Remove(name(t, "f")))
	r.write("g", strings.Repeat("g", 1000))
	r.open(1000)
	wantCode(t, "after a restart", r.Append(name(t, "small"), nil), vfs.CodeQuota)
	r.commit("g")
	r.write("f", strings.Repeat("f", 1000))
	r.rollback()
	r.write("f", strings.Repeat("f", 1000))
	r.wantChanges("added f")
}

func TestAMoveThatFailsLeavesNothing(t *testing.T) {
	r := newRig(t, tree{"dir/a": "a", "dir/b": strings.Repeat("b", 200)})
	must(t, syscall.Mkfifo(filepath.Join(r.lower, "dir/c"), 0o600))
	wantCode(t, "moving a pipe", r.Rename(name(t, "dir"), name(t, "new")), vfs.CodeAccess)
	must(t, os.Remove(filepath.Join(r.lower, "dir/c")))
	r.open(100)
	wantCode(t, "moving too much", r.Rename(name(t, "dir"), name(t, "new")), vfs.CodeQuota)
	r.wantView(tree{"dir/a": "a", "dir/b": strings.Repeat("b", 200)})
	r.wantChanges()
}

func TestNoNameOfAGuestIsMetadata(t *testing.T) {
	r := newRig(t, tree{"victim": "v", ".wh.other": "o"})
	for _, p := range []string{"index", "journal", "staging", "data/index", ".wh.victim", ".durable-x", "p\",\"white\":true,\"x\":\"", "line\nbreak"} {
		must(t, r.MkdirAll(name(t, p).Dir()))
		r.write(p, `{"p":"victim","white":true}`+"\n")
	}
	r.open(roomy)
	if got := r.view(); got["victim"] != "v" || got["index"] == "" || got["line\nbreak"] == "" || len(got) != 10 {
		t.Errorf("view: %v", got)
	}
	_, err := vfs.ParseName("dir/" + vfs.TempName())
	wantCode(t, "the name of an unfinished file", err, vfs.CodeInvalid)
}

func TestUnfinishedFilesAreNeitherShownNorKept(t *testing.T) {
	r := newRig(t, tree{"f": "f", vfs.TempName(): "of another commit"})
	plant(t, r.upper, tree{"data/dir/" + vfs.TempName(): "half", "data/dir/whole": "w", ".durable-x": "half"})
	r.open(roomy)
	r.wantView(tree{"f": "f", "dir/whole": "w"})
	same(t, "upper", onDisk(t, r.upper), tree{"data/dir/whole": "w", "index": ""})
}

func TestNamesThatNobodyCanNameAreLeftAlone(t *testing.T) {
	files := tree{"d/nfd-e\u0301": "e", "d/bytes-\xff": "b", "d/a": "a"}
	r := newRig(t, files)
	r.wantView(tree{"d/a": "a"})
	must(t, r.Rename(name(t, "d"), name(t, "e")))
	r.wantChanges("deleted d/a", "added e/a")
	r.commit()
	r.wantLower(tree{"d/nfd-e\u0301": "e", "d/bytes-\xff": "b", "e/a": "a"})
	r.wantChanges()
}

func TestTwoOverlaysOnOneWorkspaceNeverSeeEachOther(t *testing.T) {
	a := newRig(t, tree{"f": "f", "d/x": "x"})
	b := &rig{t: t, lower: a.lower, upper: t.TempDir()}
	b.open(roomy)
	a.write("f", "from a")
	b.write("g", "from b")
	a.removeAll("d")
	a.wantView(tree{"f": "from a"})
	b.wantView(tree{"f": "f", "g": "from b", "d/x": "x"})
	a.commit()
	b.wantView(tree{"f": "from a", "g": "from b"})
}

func TestAClosedOverlayRefusesEverything(t *testing.T) {
	r := newRig(t, tree{"f": "f"})
	must(t, r.Close())
	must(t, r.Close())
	n, ctx := name(t, "f"), t.Context()
	for what, err := range map[string]error{
		"read": second(r.ReadFile(n)), "stat": second(r.Stat(n)), "lstat": second(r.Lstat(n)), "list": second(r.ReadDir(n)),
		"link": second(r.ReadLink(n)), "write": r.WriteFile(n, nil), "append": r.Append(n, nil), "mkdir": r.Mkdir(n),
		"mkdirall": r.MkdirAll(n), "remove": r.Remove(n), "removeall": second(r.RemoveAll(n)), "move": r.Rename(n, n),
		"changes": second(r.Changes(ctx)), "diff": second(r.Diff(ctx, Change{Path: n})),
		"commit": second(r.Commit(ctx, nil)), "rollback": second(r.Rollback(ctx, nil)),
	} {
		wantCode(t, what, err, vfs.CodeClosed)
	}
}

func TestAChangeThatWasRefusedOrTakenBackLeavesNoDirectoryBehind(t *testing.T) {
	r := newRig(t, tree{"d/e/f": "f", "g": "g"})
	r.open(10)
	wantCode(t, "too much", r.WriteFile(name(t, "d/e/new"), make([]byte, 11)), vfs.CodeQuota)
	r.write("d/e/tmp", "t")
	must(t, r.Remove(name(t, "d/e/tmp")))
	must(t, os.RemoveAll(filepath.Join(r.lower, "d"))) // the user is done with it
	r.wantView(tree{"g": "g"})
	r.wantChanges()
}
