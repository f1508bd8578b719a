package bus_test

import (
	"fmt"
	"testing"

	"github.com/astrid-go/astrid/bus"
)

// BenchmarkPublish measures one publish with many subscriptions of which one matches; it is drained by eviction.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 100, 10_000} {
		b.Run(fmt.Sprintf("subscriptions=%d", n), func(b *testing.B) {
			events, ctx := open(b, bus.Config{}), b.Context()
			for i := range n {
				subscribe(b, events, fmt.Sprintf("bench.topic.%d", i), bus.SubscribeOptions{MaxMessages: 64})
			}
			m := stream(b, "bench.topic.0", "alice")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := events.Publish(ctx, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublishReceive measures a publish and its receive in one goroutine, so without a switch.
func BenchmarkPublishReceive(b *testing.B) {
	events, ctx := open(b, bus.Config{}), b.Context()
	sub := subscribe(b, events, "bench.*", bus.SubscribeOptions{})
	m := message(b, "bench.topic", "alice")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Publish(ctx, m); err != nil {
			b.Fatal(err)
		}
		if _, err := sub.Recv(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLatency measures from a publish to a waiting receiver's answer and back: two deliveries, two switches.
func BenchmarkLatency(b *testing.B) {
	events, ctx := open(b, bus.Config{}), b.Context()
	there := subscribe(b, events, "ping", bus.SubscribeOptions{})
	back := subscribe(b, events, "pong", bus.SubscribeOptions{})
	ping, pong := message(b, "ping", "alice"), message(b, "pong", "alice")
	go func() {
		for {
			if _, err := there.Recv(ctx); err != nil {
				return
			}
			_, _ = events.Publish(ctx, pong)
		}
	}()
	for b.Loop() {
		if _, err := events.Publish(ctx, ping); err != nil {
			b.Fatal(err)
		}
		if _, err := back.Recv(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanOut measures one publish to as many subscriptions as are allowed.
func BenchmarkFanOut(b *testing.B) {
	events, ctx := open(b, bus.Config{}), b.Context()
	for range bus.MaxFanOut {
		subscribe(b, events, "bench.*", bus.SubscribeOptions{MaxMessages: 64})
	}
	m := stream(b, "bench.topic", "alice")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Publish(ctx, m); err != nil {
			b.Fatal(err)
		}
	}
}
