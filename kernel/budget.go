package kernel

import (
	"context"
	"sync"

	"golang.org/x/time/rate"

	"github.com/astrid-go/astrid/principal"
)

// budgets share out the work of guests: each principal may burn its quota of
// fuel a second, over all its instances. Who is over it waits; nobody else does.
type budgets struct {
	quota func(principal.ID) (uint64, error)

	mu  sync.Mutex // guards what follows
	per map[principal.ID]*rate.Limiter
}

func newBudgets(quota func(principal.ID) (uint64, error)) *budgets {
	return &budgets{quota: quota, per: map[principal.ID]*rate.Limiter{}}
}

// maxFuel keeps a quota within what a limiter counts.
const maxFuel = 1 << 40

func (b *budgets) of(id principal.ID) (*rate.Limiter, error) {
	fuel, err := b.quota(id)
	if err != nil {
		return nil, err
	}
	n := int(min(fuel, maxFuel))
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.per[id]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(n), n)
		b.per[id] = l
	}
	if l.Burst() != n { // the profile changed
		l.SetLimit(rate.Limit(n))
		l.SetBurst(n)
	}
	return l, nil
}

// charge returns the meter's callback for a principal: it takes fuel from the
// budget and waits when there is none. A wait is at most a second, since no more
// is taken at a time than a second brings; the meter looks at the deadline after
// it.
func charge(l *rate.Limiter) func(uint64) error {
	return func(fuel uint64) error {
		return l.WaitN(context.Background(), int(min(fuel, uint64(l.Burst()))))
	}
}
