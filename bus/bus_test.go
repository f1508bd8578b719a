package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFullControlQueueFailsThePublisherAndHarmsNobodyElse(t *testing.T) {
	b := open(t, bus.Config{})
	stuck := subscribe(t, b, "a", bus.SubscribeOptions{Name: "stuck", MaxMessages: 1})
	healthy := subscribe(t, b, "*", bus.SubscribeOptions{})
	watcher := subscribe(t, b, "*", bus.SubscribeOptions{MaxMessages: 1, Lossy: true})

	publish(t, b, message(t, "a", "alice"))
	receipt, err := b.PublishWith(t.Context(), message(t, "a", "alice"), bus.PublishOptions{})
	if !errors.Is(err, bus.ErrFull) || receipt.Delivered != 2 || receipt.Refused != 1 {
		t.Errorf("second publish: %v, %d delivered, %d refused", err, receipt.Delivered, receipt.Refused)
	}
	publish(t, b, message(t, "a", "bob")) // another principal has a queue of his own

	if got := drain(t, healthy); len(got) != 3 {
		t.Errorf("healthy subscriber has %d messages, want 3", len(got))
	}
	if batch := batch(t, stuck); len(batch.Messages) != 1 || batch.Messages[0].Seq != 1 || batch.Dropped != 1 {
		t.Errorf("stuck subscriber lost its first message or its gap: %+v", batch)
	}
	if batch := batch(t, watcher); len(batch.Messages) != 1 || batch.Messages[0].Seq != 2 || batch.Lagged != 1 {
		t.Errorf("watcher: %+v", batch)
	}
}

func TestStreamEvictsOldestStreamMessageAndMarksTheGap(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{MaxMessages: 2})
	publish(t, b, message(t, "control", "alice"))
	for range 5 {
		publish(t, b, stream(t, "delta", "alice"))
	}
	got := batch(t, sub)
	if seqs := sequences(got.Messages); !slices.Equal(seqs, []uint64{1, 5, 6}) || got.Lagged != 3 || got.Dropped != 0 {
		t.Errorf("sequences %v, lagged %d, dropped %d", seqs, got.Lagged, got.Dropped)
	}
	publish(t, b, stream(t, "delta", "alice"))
	if again := batch(t, sub); again.Lagged != 0 {
		t.Errorf("gap reported twice")
	}
}

func TestByteBudget(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{MaxBytes: 1000})
	big := stream(t, "a", "alice")
	big.Payload = make([]byte, 5000)
	publish(t, b, big) // fits into an empty queue whatever its size
	publish(t, b, stream(t, "a", "alice"))
	if got := batch(t, sub); got.Lagged != 1 || len(got.Messages) != 1 || got.Messages[0].Seq != 2 {
		t.Errorf("%d messages, lagged %d", len(got.Messages), got.Lagged)
	}
}

func TestBatchHoldsOnePrincipalAndLosesNothing(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{})
	for range 10 {
		for _, name := range []string{"alice", "bob"} {
			m := message(t, "a", name)
			m.Payload = make([]byte, 400)
			publish(t, b, m)
		}
	}
	system := message(t, "a", "alice")
	system.From = bus.System()
	publish(t, b, system)
	var all []bus.Message
	for sub.Waiting() > 0 {
		got, err := sub.RecvBatch(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, m := range got.Messages {
			size += len(m.Payload)
			if m.From != got.Messages[0].From {
				t.Errorf("batch mixes %v and %v", m.From, got.Messages[0].From)
			}
		}
		if size > 1000 {
			t.Errorf("batch of %d bytes", size)
		}
		all = append(all, got.Messages...)
	}
	inOrderPerPrincipal(t, all)
	if len(all) != 21 {
		t.Errorf("%d messages came out of 21", len(all))
	}
}

func TestBatchTooSmallForItsFirstMessageBringsItAlone(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{})
	publish(t, b, message(t, "a", "alice"))
	publish(t, b, message(t, "a", "alice"))
	if got, err := sub.RecvBatch(t.Context(), 0); err != nil || len(got.Messages) != 1 || sub.Waiting() != 1 {
		t.Errorf("%d messages, %d wait, %v", len(got.Messages), sub.Waiting(), err)
	}
}

func TestAHogDoesNotStarveOthers(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{MaxBytes: 1 << 30})
	for range 5000 {
		m := message(t, "a", "hog")
		m.Payload = make([]byte, 100)
		publish(t, b, m)
	}
	huge := message(t, "a", "whale") // pays off its debt over many turns
	huge.Payload = make([]byte, bus.MaxGuestPayload)
	publish(t, b, huge)
	publish(t, b, huge)
	for range 10 {
		publish(t, b, message(t, "a", "alice"))
	}
	last, whales := 0, 0
	for i := range 5012 {
		m := recv(t, sub)
		switch m.From.Principal().String() {
		case "alice":
			last = i
		case "whale":
			whales++
		}
	}
	if last > 100 || whales != 2 {
		t.Errorf("alice's last message came as number %d, the whale's %d messages came", last, whales)
	}
}

func TestBatchEndsWithTheTurnUnlessAlone(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{})
	for range 1000 {
		publish(t, b, message(t, "a", "hog"))
	}
	publish(t, b, message(t, "a", "alice"))
	if n := len(batch(t, sub).Messages); n > 100 {
		t.Errorf("the hog had %d messages in one turn with alice waiting", n)
	}
	if got := batch(t, sub).Messages[0].From.Principal(); got != id(t, "alice") {
		t.Errorf("it was %s's turn again", got)
	}
	if batch(t, sub); sub.Waiting() != 0 {
		t.Errorf("%d messages wait, though the hog was alone", sub.Waiting())
	}
}

func TestRefusals(t *testing.T) {
	var losses []bus.Loss
	var b *bus.Bus
	b = open(t, bus.Config{Observer: func(l bus.Loss) {
		losses = append(losses, l)
		b.Stats()
		subscribe(t, b, "free.of.locks", bus.SubscribeOptions{}).Close()
	}})
	for range bus.MaxFanOut + 1 {
		subscribe(t, b, "wide", bus.SubscribeOptions{})
	}
	for _, c := range []struct {
		reason bus.Reason
		want   error
		change func(*bus.Message)
	}{
		{bus.Unattributed, bus.ErrUnattributed, func(m *bus.Message) { m.From = bus.Attribution{} }},
		{bus.Unattributed, bus.ErrUnattributed, func(m *bus.Message) { m.From = bus.Verified(principal.ID{}) }},
		{bus.Unattributed, bus.ErrUnattributed, func(m *bus.Message) { m.Topic = bus.Topic{} }},
		{bus.Unattributed, bus.ErrUnattributed, func(m *bus.Message) { m.Lane = bus.Stream + 1 }},
		{bus.TooLarge, bus.ErrTooLarge, func(m *bus.Message) { m.Payload = make([]byte, bus.MaxGuestPayload+1) }},
		{bus.TooManyHops, bus.ErrHops, func(m *bus.Message) { m.Hops = bus.MaxHops + 1 }},
		{bus.TooWide, bus.ErrFanOut, func(m *bus.Message) { m.Topic = topic(t, "wide") }},
	} {
		losses = nil
		m := message(t, "a", "alice")
		c.change(&m)
		_, err := b.Publish(t.Context(), m)
		if !errors.Is(err, c.want) || len(losses) != 1 || losses[0].Reason != c.reason {
			t.Errorf("%s: got %v, losses %v", c.reason, err, losses)
		}
	}
	if s := b.Stats(); s.Published != 0 || s.Delivered != 0 || s.Lost[bus.Unattributed] != 4 {
		t.Errorf("stats %+v", s)
	}
	atLimits := message(t, "a", "alice")
	atLimits.Hops, atLimits.Payload = bus.MaxHops, make([]byte, bus.MaxGuestPayload)
	publish(t, b, atLimits)
	atLimits.Payload = make([]byte, bus.MaxPayload)
	if _, err := b.PublishWith(t.Context(), atLimits, bus.PublishOptions{MaxPayload: 2 * bus.MaxPayload}); err != nil {
		t.Error(err)
	}
}

func TestRateIsPerPrincipalAndRefills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Config{Rate: func(id principal.ID) int64 {
			if id.String() == "poor" {
				return 0
			}
			return 100
		}})
		m := message(t, "a", "alice")
		m.Payload = make([]byte, 59)
		publish(t, b, m)
		if _, err := b.Publish(t.Context(), m); !errors.Is(err, bus.ErrRate) {
			t.Fatalf("120 bytes within a second: %v", err)
		}
		m.From = bus.Verified(id(t, "bob"))
		publish(t, b, m)
		m.From = bus.System()
		publish(t, b, m)
		publish(t, b, m)
		m.From = bus.Verified(id(t, "poor"))
		if _, err := b.Publish(t.Context(), m); !errors.Is(err, bus.ErrRate) {
			t.Errorf("a principal without a rate published: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		m.From = bus.Claimed(id(t, "alice")) // the same purse
		publish(t, b, m)
		time.Sleep(time.Hour) // saves up no more than a second's worth
		publish(t, b, m)
		if _, err := b.Publish(t.Context(), m); !errors.Is(err, bus.ErrRate) {
			t.Errorf("120 bytes at once after an hour: %v", err)
		}
		if lost := b.Stats().Lost[bus.TooFast]; lost != 3 {
			t.Errorf("%d counted", lost)
		}
	})
}

func TestScopedSubscriptionSeesItsPrincipalAlone(t *testing.T) {
	b := open(t, bus.Config{})
	alone := subscribe(t, b, "a.*", bus.SubscribeOptions{Principal: id(t, "alice")})
	both := subscribe(t, b, "a.*", bus.SubscribeOptions{Principal: id(t, "alice"), System: true})
	for _, from := range []bus.Attribution{bus.Verified(id(t, "alice")), bus.Verified(id(t, "bob")), bus.System()} {
		m := message(t, "a.b", "alice")
		m.From = from
		publish(t, b, m)
	}
	if got := sequences(drain(t, alone)); !slices.Equal(got, []uint64{1}) {
		t.Errorf("alice alone saw %v", got)
	}
	if got := drain(t, both); len(got) != 2 || !slices.ContainsFunc(got, func(m bus.Message) bool { return m.From.IsSystem() }) {
		t.Errorf("alice and system saw %v", sequences(got))
	}
	alone.Close()
	both.Close()
	if r, _ := b.PublishWith(t.Context(), message(t, "a.b", "alice"), bus.PublishOptions{}); r.Delivered != 0 {
		t.Error("closed subscriptions still get messages")
	}
}

func TestWaitingEndsByMessageCloseOrContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Config{})
		sub := subscribe(t, b, "*", bus.SubscribeOptions{})
		results := make(chan error, 1)
		wait := func(ctx context.Context) {
			go func() { _, err := sub.Recv(ctx); results <- err }()
			synctest.Wait()
		}
		wait(t.Context())
		publish(t, b, message(t, "a", "alice"))
		if err := <-results; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wait(ctx)
		if err := <-results; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wait(t.Context())
		b.Close()
		b.Close()
		if err := <-results; !errors.Is(err, bus.ErrClosed) {
			t.Error(err)
		}
		if _, err := b.Publish(t.Context(), message(t, "a", "alice")); !errors.Is(err, bus.ErrClosed) {
			t.Error(err)
		}
		if _, err := b.Subscribe(pattern(t, "a"), bus.SubscribeOptions{}); !errors.Is(err, bus.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestPollNeverWaits(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{})
	for _, want := range []int{0, 1, 0} {
		if got, err := sub.Poll(bus.MaxGuestPayload); err != nil || len(got.Messages) != want {
			t.Errorf("%d messages, want %d; %v", len(got.Messages), want, err)
		}
		if want == 0 {
			publish(t, b, message(t, "a", "alice"))
		}
	}
	sub.Close()
	if _, err := sub.Poll(1); !errors.Is(err, bus.ErrClosed) {
		t.Error(err)
	}
}

func TestReadyTellsOfMessagesAndClose(t *testing.T) {
	b := open(t, bus.Config{})
	sub := subscribe(t, b, "*", bus.SubscribeOptions{})
	first := sub.Ready()
	if isReady(first) {
		t.Error("ready while empty")
	}
	publish(t, b, message(t, "a", "alice"))
	if !isReady(first) || !isReady(sub.Ready()) {
		t.Error("not ready with a message waiting")
	}
	recv(t, sub)
	if isReady(sub.Ready()) {
		t.Error("ready after the last message was taken")
	}
	publish(t, b, message(t, "a", "alice"))
	sub.Close()
	if !isReady(sub.Ready()) {
		t.Error("not ready though closed")
	}
	if s := b.Stats(); s.Lost[bus.Discarded] != 1 {
		t.Errorf("the discarded message was not counted: %+v", s)
	}
}

func TestReasonNamesAreStable(t *testing.T) {
	for r := bus.Unattributed; r <= bus.Discarded; r++ {
		if r.String() == "" || strings.ToLower(r.String()) != r.String() {
			t.Errorf("reason %d is called %q", r, r)
		}
	}
}

func isReady(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
