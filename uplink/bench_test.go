package uplink

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/astrid-go/astrid/api"
)

// Round trips through a real socket, without a guest behind it: what is left for
// the rest of a tool call.

func BenchmarkCall(b *testing.B)    { benchmark(b, callTool) }
func BenchmarkRequest(b *testing.B) { benchmark(b, ask) }

func callTool(b *testing.B, c *api.Client) error {
	_, err := c.CallTool(b.Context(), "echo", json.RawMessage(`{"path":"README.md"}`))
	return err
}

func ask(b *testing.B, c *api.Client) error {
	return c.Request(b.Context(), "M", nil, nil)
}

func benchmark(b *testing.B, do func(*testing.B, *api.Client) error) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			r := newRig(b)
			all := make([]*api.Client, clients)
			for i := range all {
				all[i] = r.dial("alice")
			}
			took := make([][]time.Duration, clients)
			b.ReportAllocs()
			b.ResetTimer()
			var g errgroup.Group
			for i, c := range all {
				g.Go(func() error {
					for range (b.N + clients - 1) / clients {
						began := time.Now()
						if err := do(b, c); err != nil {
							return err
						}
						took[i] = append(took[i], time.Since(began))
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
			b.ReportMetric(float64(sorted[len(sorted)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(sorted[len(sorted)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(len(sorted))/b.Elapsed().Seconds(), "ops/s")
		})
	}
}
