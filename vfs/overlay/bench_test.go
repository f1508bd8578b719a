package overlay

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/astrid-go/astrid/vfs"
)

func BenchmarkOpenOverATreeOf20000Files(b *testing.B) {
	r := &rig{t: b, lower: b.TempDir(), upper: b.TempDir()}
	for d := range 200 {
		dir := filepath.Join(r.lower, fmt.Sprint(d))
		must(b, os.Mkdir(dir, 0o755))
		for f := range 100 {
			must(b, os.WriteFile(filepath.Join(dir, fmt.Sprint(f)), []byte("x"), 0o644))
		}
	}
	lower, err := vfs.OpenHost(r.lower)
	must(b, err)
	defer lower.Close()
	for b.Loop() {
		o, err := Open(Config{Lower: lower, UpperDir: r.upper, MaxBytes: roomy})
		must(b, err)
		must(b, o.Close())
	}
}

func BenchmarkRead(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 4096)
	r := newRig(b, tree{"src/pkg/lower.go": string(body), "src/pkg/upper.go": ""})
	r.write("src/pkg/upper.go", string(body))
	r.write("other", "o")
	lower, upper := name(b, "src/pkg/lower.go"), name(b, "src/pkg/upper.go")
	plain := filepath.Join(r.lower, "src/pkg/lower.go")
	for what, read := range map[string]func() ([]byte, error){
		"Plain": func() ([]byte, error) { return os.ReadFile(plain) },
		"Host":  func() ([]byte, error) { return r.Overlay.lower.ReadFile(lower) },
		"Lower": func() ([]byte, error) { return r.ReadFile(lower) },
		"Upper": func() ([]byte, error) { return r.ReadFile(upper) },
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := read(); err != nil || len(got) != len(body) {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

func BenchmarkFirstWriteToAFileOf1MB(b *testing.B) {
	r := newRig(b, tree{"big": string(bytes.Repeat([]byte("x"), 1<<20))})
	n, body := name(b, "big"), bytes.Repeat([]byte("y"), 1<<20)
	for b.Loop() {
		must(b, r.WriteFile(n, body))
		b.StopTimer()
		r.rollback()
		b.StartTimer()
	}
}

func BenchmarkReadDirOf1000Merged(b *testing.B) {
	r := newRig(b, nil)
	r.many(500, "lower")
	r.commit()
	r.many(500, "upper")
	n := name(b, "many")
	for b.Loop() {
		if names, err := r.ReadDir(n); err != nil || len(names) != 1000 {
			b.Fatal(len(names), err)
		}
	}
}

// many writes small files.
func (r *rig) many(count int, prefix string) {
	r.t.Helper()
	must(r.t, r.MkdirAll(name(r.t, "many")))
	for i := range count {
		r.write(fmt.Sprintf("many/%s%d", prefix, i), prefix)
	}
}

func BenchmarkChangesOf1000Files(b *testing.B) {
	r := newRig(b, nil)
	r.many(1000, "f")
	for b.Loop() {
		if set, err := r.Changes(context.Background()); err != nil || len(set) != 1000 {
			b.Fatal(len(set), err)
		}
	}
}

func BenchmarkCommitOf1000Files(b *testing.B) {
	r := newRig(b, nil)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		r.many(1000, fmt.Sprint(i, "-"))
		b.StartTimer()
		r.commit()
	}
}

func BenchmarkRollbackOf1000Files(b *testing.B) {
	r := newRig(b, nil)
	for b.Loop() {
		b.StopTimer()
		r.many(1000, "f")
		b.StartTimer()
		r.rollback("many")
	}
}
