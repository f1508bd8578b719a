package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/astrid-go/astrid/bus"
)

// TestModel lets random publishers and receivers of random speeds loose on a bus, closes some of them on the way, and
// then settles the accounts: each copy was received, evicted or discarded, and every receiver saw each principal in
// sequence order.
func TestModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { model(t, seed) })
	}
}

func model(t *testing.T, seed uint64) {
	b := open(t, bus.Config{})
	random := rand.New(rand.NewPCG(seed, 1))
	patterns := []string{"*", "a.*", "a.*.c", "*.b", "a.b.c", "x.y"}
	var receivers, publishers sync.WaitGroup
	var subs []*bus.Subscription
	for i := range 12 {
		sub := subscribe(t, b, patterns[i%len(patterns)], bus.SubscribeOptions{
			MaxMessages: 1 + random.IntN(50), Lossy: random.IntN(4) == 0,
		})
		subs = append(subs, sub)
		receivers.Go(func() { slowly(t, sub, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	for i := range 6 {
		publishers.Go(func() { flood(t, b, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
	}
	subs[0].Close() // in the middle of it
	publishers.Wait()
	b.Close()
	receivers.Wait()

	s := b.Stats()
	if s.Delivered != s.Received+s.Lost[bus.Evicted]+s.Lost[bus.Discarded] {
		t.Errorf("copies were lost in silence: %+v", s)
	}
	if s.Published != 6*500 || s.Received == 0 {
		t.Errorf("stats %+v", s)
	}
}

func slowly(t *testing.T, sub *bus.Subscription, random *rand.Rand) {
	var seen []bus.Message
	defer func() { inOrderPerPrincipal(t, seen) }()
	for {
		if random.IntN(20) == 0 {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
		}
		got, err := sub.RecvBatch(context.Background(), random.IntN(200))
		if errors.Is(err, bus.ErrClosed) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		seen = append(seen, got.Messages...)
	}
}

func flood(t *testing.T, b *bus.Bus, random *rand.Rand) {
	topics := []string{"a", "a.b", "a.b.c", "x.y", "x.b"}
	for range 500 {
		m := message(t, topics[random.IntN(len(topics))], fmt.Sprint("p", random.IntN(5)))
		m.Lane = bus.Lane(random.IntN(2))
		m.Payload = make([]byte, random.IntN(100))
		if _, err := b.Publish(context.Background(), m); err != nil && !errors.Is(err, bus.ErrFull) {
			t.Error(err)
		}
	}
}

func inOrderPerPrincipal(t *testing.T, messages []bus.Message) {
	t.Helper()
	last := map[bus.Attribution]uint64{}
	for _, m := range messages {
		if m.Seq <= last[m.From] {
			t.Errorf("%v: sequence %d after %d", m.From, m.Seq, last[m.From])
		}
		last[m.From] = m.Seq
	}
}
