package overlay

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/vfs"
)

// The model is a plain directory: whatever an agent does to an overlay must look
// as if it had done it there, and after a commit the workspace must be the same.
func TestAnOverlayLooksLikeAPlainDirectory(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8, uint64(time.Now().UnixNano())}
	if os.Getenv("ASTRID_SOAK") != "" {
		for s := range uint64(300) {
			seeds = append(seeds, seeds[len(seeds)-1]+s)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, rand.New(rand.NewPCG(seed, 7)), 150) })
	}
}

type model struct {
	*rig
	plain  *vfs.Host
	random *rand.Rand
	log    []string
}

var modelFixture = tree{"a": "a", "b/a": "ba", "b/b/a": "bba", "b/b/c": "bbc", "c/a": "ca", "c/b": "-> ../b/a", "d": "-> b", "e": "dir"}

func runModel(t *testing.T, random *rand.Rand, steps int) {
	dir := t.TempDir()
	plant(t, dir, modelFixture)
	plain, err := vfs.OpenHost(dir)
	must(t, err)
	t.Cleanup(func() { plain.Close() })
	m := &model{newRig(t, modelFixture), plain, random, nil}
	for range steps {
		if m.step(); t.Failed() {
			t.Fatalf("after %q", m.log)
		}
	}
	m.commit()
	m.wantLower(onDisk(t, dir))
	m.wantChanges()
}

// name makes a path that is often there.
func (m *model) name() vfs.Name {
	n := vfs.Root()
	for range 1 + m.random.IntN(3) {
		n = n.Join(string("abcdef"[m.random.IntN(6)]))
	}
	return n
}

func (m *model) step() {
	n, to := m.name(), m.name()
	body := []byte(fmt.Sprint(m.random.IntN(3)))
	switch k := m.random.IntN(20); {
	case k < 5:
		m.both("write", n, func(f vfs.FS) error { return f.WriteFile(n, body) })
	case k < 7:
		m.both("append", n, func(f vfs.FS) error { return f.Append(n, body) })
	case k < 9:
		m.both("mkdir", n, func(f vfs.FS) error { return f.Mkdir(n) })
	case k < 10:
		m.both("mkdirall", n, func(f vfs.FS) error { return f.MkdirAll(n) })
	case k < 12:
		m.both("remove", n, func(f vfs.FS) error { return f.Remove(n) })
	case k < 14:
		m.both("removeall", n, func(f vfs.FS) error { return second(f.RemoveAll(n)) })
	case k < 17:
		m.both("move to "+to.String()+" of", n, func(f vfs.FS) error { return f.Rename(n, to) })
	case k < 18:
		m.log = append(m.log, "restart")
		m.open(roomy)
	case k < 19:
		m.log = append(m.log, "commit "+n.String())
		m.commit(n.String())
	default:
		m.again(n)
		return
	}
	same(m.t, fmt.Sprintf("view after %q", m.log), m.view(), treeOf(m.t, m.plain))
}

// both does one thing on both sides: they must agree on whether it can be done.
func (m *model) both(what string, n vfs.Name, do func(vfs.FS) error) {
	m.t.Helper()
	m.log = append(m.log, what+" "+n.String())
	want, got := do(m.plain), do(m.Overlay)
	// With links in two names of a move, or in the middle of a tree that is made,
	// more than one refusal is true.
	exact := !strings.HasPrefix(what, "move") && what != "mkdirall"
	if (want == nil) != (got == nil) || exact && vfs.CodeOf(want) != vfs.CodeOf(got) {
		m.t.Fatalf("%q: a plain directory says %v (%s), the overlay %v (%s)", m.log, want, vfs.CodeOf(want), got, vfs.CodeOf(got))
	}
}

// again rolls a path back: what is at or below it is then as the workspace has
// it, and everything beside the way to it as it was.
func (m *model) again(n vfs.Name) {
	m.t.Helper()
	m.log = append(m.log, "rollback "+n.String())
	before, below := m.view(), treeOf(m.t, m.Overlay.lower)
	m.rollback(n.String())
	after := m.view()
	at := func(p vfs.Name) bool { return p.Under(n) }
	beside := func(p vfs.Name) bool { return !p.Under(n) && !n.Under(p) }
	same(m.t, fmt.Sprintf("rolled back by %q", m.log), m.part(after, at), m.part(below, at))
	same(m.t, fmt.Sprintf("beside it after %q", m.log), m.part(after, beside), m.part(before, beside))
	set, err := m.Changes(m.t.Context())
	must(m.t, err)
	if left := set.Under([]vfs.Name{n}); len(left) > 0 {
		m.t.Fatalf("%q: still changed: %v", m.log, left.paths())
	}
	m.rebuild()
}

// part is the files of a tree whose names are in.
func (m *model) part(all tree, in func(vfs.Name) bool) tree {
	out := tree{}
	for p, body := range all {
		if in(name(m.t, p)) {
			out[p] = body
		}
	}
	return out
}

// rebuild makes the model hold what the overlay shows.
func (m *model) rebuild() {
	names, err := m.plain.ReadDir(vfs.Root())
	must(m.t, err)
	for _, e := range names {
		must(m.t, second(m.plain.RemoveAll(vfs.Root().Join(e))))
	}
	plant(m.t, m.plain.Root().Name(), m.view())
}
