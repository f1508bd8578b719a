package audit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	for _, d := range []Durability{Written, Synced} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", map[Durability]string{Written: "written", Synced: "synced"}[d], writers), func(b *testing.B) {
				benchmarkAppend(b, d, writers)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, d Durability, writers int) {
	l := mustOpen(b, testConfig(b.TempDir()))
	e := Entry{Principal: "default", Kind: "bench", Body: make([]byte, 300)}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := l.Append(context.Background(), e, d); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkVerify(b *testing.B) {
	const records = 100_000
	c := testConfig(b.TempDir())
	l := mustOpen(b, c)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { fill(b, l, records/64, Synced) })
	}
	wg.Wait()
	mustClose(b, l)
	var total uint64
	for b.Loop() {
		r, err := Verify(c.Dir, public(c.Key))
		if err != nil || len(r.Problems) > 0 {
			b.Fatal(err, r.Problems)
		}
		total += r.Records
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "records/s")
}
