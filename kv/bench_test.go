package kv

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			n := openNamespace(b, Config{})
			value := make([]byte, 256)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := left.Add(-1); i >= 0; i = left.Add(-1) {
						if err := n.Set(context.Background(), fmt.Sprintf("%032d", i), value); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

// preload writes 20,000 keys.
func preload(b *testing.B) *Namespace {
	b.Helper()
	n := openNamespace(b, Config{})
	for i := range 20 {
		var batch Batch
		for j := range 1000 {
			batch.Writes = append(batch.Writes, Write{Key: fmt.Sprintf("%032d", i*1000+j), Value: make([]byte, 256)})
		}
		if err := n.Batch(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

func BenchmarkGet(b *testing.B) {
	n := preload(b)
	key := fmt.Sprintf("%032d", 7777)
	for b.Loop() {
		if _, found, err := n.Get(context.Background(), key); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkScan1000(b *testing.B) {
	n := preload(b)
	for b.Loop() {
		if page, err := n.List(context.Background(), "", fmt.Sprintf("%032d", 5000), 1000); len(page.Keys) != 1000 || err != nil {
			b.Fatal(len(page.Keys), err)
		}
	}
}
