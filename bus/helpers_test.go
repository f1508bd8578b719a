package bus_test

import (
	"testing"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

func open(t testing.TB, c bus.Config) *bus.Bus {
	b := bus.New(c)
	t.Cleanup(b.Close)
	return b
}

func subscribe(t testing.TB, b *bus.Bus, p string, o bus.SubscribeOptions) *bus.Subscription {
	t.Helper()
	s, err := b.Subscribe(pattern(t, p), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func message(t testing.TB, top, name string) bus.Message {
	return bus.Message{Topic: topic(t, top), Payload: []byte("{}"), From: bus.Verified(id(t, name))}
}

func stream(t testing.TB, top, name string) bus.Message {
	m := message(t, top, name)
	m.Lane = bus.Stream
	return m
}

func publish(t testing.TB, b *bus.Bus, m bus.Message) {
	t.Helper()
	if _, err := b.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func recv(t testing.TB, s *bus.Subscription) bus.Message {
	t.Helper()
	m, err := s.Recv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func batch(t testing.TB, s *bus.Subscription) bus.Batch {
	t.Helper()
	got, err := s.RecvBatch(t.Context(), bus.MaxGuestPayload)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func drain(t testing.TB, s *bus.Subscription) (all []bus.Message) {
	t.Helper()
	for s.Waiting() > 0 {
		all = append(all, recv(t, s))
	}
	return all
}

func sequences(messages []bus.Message) (all []uint64) {
	for _, m := range messages {
		all = append(all, m.Seq)
	}
	return all
}

func topic(t testing.TB, s string) bus.Topic     { return parse(t, bus.ParseTopic, s) }
func pattern(t testing.TB, s string) bus.Pattern { return parse(t, bus.ParsePattern, s) }
func id(t testing.TB, s string) principal.ID     { return parse(t, principal.Parse, s) }

func parse[T any](t testing.TB, parser func(string) (T, error), s string) T {
	t.Helper()
	v, err := parser(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
