package overlay

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/vfs"
)

// snapshot copies a directory as a crash at this moment would leave it.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	copied := t.TempDir()
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	return copied
}

func crashFixture(t *testing.T) *rig {
	r := newRig(t, tree{"f": "f", "d/x": "x", "d/y": "y", "sort": "file", "dir/in": "i", "ln-to": "t", "deep/ln": "-> ../ln-to"})
	r.write("f", "F")
	r.removeAll("d")
	must(t, r.MkdirAll(name(t, "new/sub")))
	r.write("new/sub/g", "g")
	must(t, r.Remove(name(t, "sort")))
	must(t, r.Mkdir(name(t, "sort")))
	r.write("sort/in", "s")
	r.removeAll("dir")
	r.write("dir", "a file now")
	must(t, r.Rename(name(t, "deep/ln"), name(t, "new/ln")))
	return r
}

func TestACrashAtEachStepOfACommitIsAllOrNothing(t *testing.T) {
	r := crashFixture(t)
	before, after := onDisk(t, r.lower), r.view()
	type crash struct{ point, lower, upper string }
	var crashes []crash
	r.reached = func(point string) {
		crashes = append(crashes, crash{point, snapshot(t, r.lower), snapshot(t, r.upper)})
	}
	r.commit()
	decided := false
	for _, c := range crashes {
		decided = decided || c.point == "journal written"
		again := &rig{t: t, lower: c.lower, upper: c.upper}
		again.open(roomy)
		again.wantView(after)
		if decided {
			again.wantLower(after)
			again.wantChanges()
		} else {
			again.wantLower(before)
			again.commit()
			again.wantLower(after)
		}
		if t.Failed() {
			t.Fatalf("after a crash at %q", c.point)
		}
	}
	if len(crashes) < 20 || !decided {
		t.Errorf("only %d steps were seen", len(crashes))
	}
}

func TestACrashDuringRecoveryIsRecoveredFrom(t *testing.T) {
	r := crashFixture(t)
	after := r.view()
	var journalled *rig
	r.reached = func(point string) {
		if point == "journal written" {
			journalled = &rig{t: t, lower: snapshot(t, r.lower), upper: snapshot(t, r.upper)}
		}
	}
	r.commit()
	for cut := 0; ; cut++ {
		again := &rig{t: t, lower: snapshot(t, journalled.lower), upper: snapshot(t, journalled.upper)}
		if !again.recoverUntil(cut) {
			break
		}
		again.open(roomy)
		again.wantLower(after)
		again.wantChanges()
	}
}

// recoverUntil opens the rig and is stopped in the recovery after cut steps; it
// reports whether there were as many.
func (r *rig) recoverUntil(cut int) (stopped bool) {
	r.t.Helper()
	lower, err := vfs.OpenHost(r.lower)
	must(r.t, err)
	defer lower.Close()
	seen := 0
	o := &Overlay{lower: lower, reached: func(string) {
		if seen++; seen > cut {
			panic(errStop)
		}
	}}
	defer o.Close()
	defer func() { stopped = recover() != nil }()
	must(r.t, o.open(r.upper, filepath.Join(r.upper, "data"), roomy))
	return false
}

const errStop = "stopped"

func TestARecoveryUndoesNothingThatTheUserDidMeanwhile(t *testing.T) {
	r := crashFixture(t)
	var left *rig
	r.reached = func(point string) {
		if point == "forgot dir" { // everything is applied
			left = &rig{t: t, lower: snapshot(t, r.lower), upper: snapshot(t, r.upper)}
		}
	}
	r.commit()
	plant(t, left.lower, tree{"f": "by the user", "d/x": "by the user"})
	left.open(roomy)
	if got := onDisk(t, left.lower); got["f"] != "by the user" || got["d/x"] != "by the user" {
		t.Errorf("the recovery took back what the user wrote: %v", got)
	}
}

func TestATemporaryFileThatSomebodyRemovedIsMadeAgain(t *testing.T) {
	r := crashFixture(t)
	after := r.view()
	r.reached = func(point string) {
		if point != "journal written" {
			return
		}
		entries, err := os.ReadDir(r.lower)
		must(t, err)
		for _, e := range entries {
			if vfs.IsTemp(e.Name()) {
				must(t, os.Remove(filepath.Join(r.lower, e.Name())))
			}
		}
	}
	r.commit()
	r.wantLower(after)
}

func TestAnUnfinishedLineOfTheIndexIsCutOff(t *testing.T) {
	r := newRig(t, tree{"a": "a", "b": "b"})
	must(t, r.Remove(name(t, "a")))
	index := filepath.Join(r.upper, indexFile)
	whole, err := os.ReadFile(index)
	must(t, err)
	must(t, r.Remove(name(t, "b")))
	must(t, r.Close())
	all, err := os.ReadFile(index)
	must(t, err)
	for cut := len(whole); cut < len(all); cut++ {
		must(t, os.WriteFile(index, all[:cut], 0o600))
		again := &rig{t: t, lower: r.lower, upper: r.upper}
		again.open(roomy)
		if got := again.view(); got["b"] != "b" || len(got) != 1 {
			t.Fatalf("cut at %d: %v", cut, got)
		}
		must(t, again.Close())
	}
}

// The child works until it is killed. It says what it is about to do and what
// was acknowledged.
func TestMain(m *testing.M) {
	if upper := os.Getenv("OVERLAY_CRASH_UPPER"); upper != "" {
		crashChild(os.Getenv("OVERLAY_CRASH_LOWER"), upper)
	}
	os.Exit(m.Run())
}

// crashFiles is how many files each generation of the child writes: all hold
// the number of the generation.
const crashFiles = 5

func crashChild(lowerDir, upperDir string) {
	check := func(err error) {
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
	}
	lower, err := vfs.OpenHost(lowerDir)
	check(err)
	o, err := Open(Config{Lower: lower, UpperDir: upperDir, MaxBytes: roomy})
	check(err)
	for n := time.Now().UnixNano(); ; n++ {
		fmt.Println("begin", n)
		for i := range crashFiles {
			dir, _ := vfs.ParseName(fmt.Sprintf("d%d/sub", i))
			check(o.MkdirAll(dir))
			check(o.WriteFile(dir.Join("file"), fmt.Append(nil, n)))
		}
		fmt.Println("wrote", n)
		if n%3 == 0 {
			_, err = o.Rollback(context.Background(), nil)
			check(err)
			fmt.Println("rolled", n)
			continue
		}
		_, err = o.Commit(context.Background(), nil)
		check(err)
		fmt.Println("committed", n)
	}
}

func TestAKilledProcessLosesNothingItAcknowledged(t *testing.T) {
	rounds := 12
	if os.Getenv("ASTRID_SOAK") != "" {
		rounds = 500
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r := &rig{t: t, lower: t.TempDir(), upper: t.TempDir()}
	committed := ""
	for range rounds {
		said := r.killedChild(time.Duration(random.IntN(120)) * time.Millisecond)
		committed = r.checkAfterKill(said, committed)
	}
	if committed == "" {
		t.Error("no child lived to commit anything")
	}
}

// killedChild runs a child, kills it after a while and returns its last words.
func (r *rig) killedChild(after time.Duration) (said [][2]string) {
	r.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OVERLAY_CRASH_LOWER="+r.lower, "OVERLAY_CRASH_UPPER="+r.upper)
	out, err := cmd.StdoutPipe()
	must(r.t, err)
	must(r.t, cmd.Start())
	for in := bufio.NewScanner(out); in.Scan(); {
		what, n, _ := strings.Cut(in.Text(), " ")
		if what == "failed" {
			r.t.Errorf("child: %s", n)
		}
		if len(said) == 0 {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		said = append(said, [2]string{what, n})
	}
	cmd.Wait()
	return said
}

// checkAfterKill opens what a child left. The workspace holds one generation as
// a whole, and it is the last one acknowledged or the one under way.
func (r *rig) checkAfterKill(said [][2]string, committed string) string {
	r.t.Helper()
	last := [2]string{}
	for _, s := range said {
		if last = s; s[0] == "committed" {
			committed = s[1]
		}
	}
	r.Overlay = nil
	r.open(roomy)
	got := map[string]int{}
	for _, body := range onDisk(r.t, r.lower) {
		got[body]++
	}
	allowed := map[string]bool{committed: true}
	if last[0] == "wrote" {
		allowed[last[1]] = true
		for p, body := range r.view() {
			if body != last[1] && body != committed && committed != "" {
				r.t.Fatalf("%s shows %q, which is neither %s nor %s", p, body, last[1], committed)
			}
		}
	}
	for body, n := range got {
		if n != crashFiles || !allowed[body] || len(got) != 1 {
			r.t.Fatalf("the workspace holds %v; acknowledged was %q, the last word %v", got, committed, last)
		}
		committed = body
	}
	r.rollback()
	must(r.t, r.Close())
	return committed
}
