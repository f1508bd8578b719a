package dispatch

import (
	"sync"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// scheduler runs jobs: in order within a lane, beside each other across lanes, with a limit of workers and of waiting
// jobs per principal. Lanes of one principal take turns, so a busy topic does not starve a quiet one.
type scheduler struct {
	depth   int            // jobs a principal may have waiting or running
	running sync.WaitGroup // every worker

	mu     sync.Mutex // guards what follows
	shares map[principal.ID]*share
}

// share is one principal's part. It exists while it holds a job or a reservation.
type share struct {
	jobs    int // reserved, waiting and running
	workers int
	limit   int
	lanes   map[lane]*queue
	ready   []*queue // lanes with a job and no worker
}

// lane is what is kept in order: a topic, and for observers the capsule's handler too.
type lane struct {
	topic           bus.Topic
	capsule, action string
}

type queue struct {
	lane lane
	jobs []func()
}

func newScheduler(depth int) *scheduler {
	return &scheduler{depth: depth, shares: map[principal.ID]*share{}}
}

// reserve makes room for a job of id, which may have limit workers; run or release must use it up.
func (s *scheduler) reserve(id principal.ID, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.shares[id]
	if p == nil {
		p = &share{lanes: map[lane]*queue{}}
		s.shares[id] = p
	}
	if p.jobs >= s.depth {
		return ErrQueue
	}
	p.limit = max(1, limit)
	p.jobs++
	return nil
}

// release gives a reservation back.
func (s *scheduler) release(id principal.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.shares[id]
	p.jobs--
	s.forgetLocked(id, p)
}

// forgetLocked drops the share of a principal with nothing to do.
func (s *scheduler) forgetLocked(id principal.ID, p *share) {
	if p.jobs == 0 && p.workers == 0 {
		delete(s.shares, id)
	}
}

// run queues a job for which room is reserved, and starts a worker for it if the principal may have one more. The
// worker ends when no lane of its principal is ready; Close waits for it.
func (s *scheduler) run(id principal.ID, l lane, job func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.shares[id]
	q := p.lanes[l]
	if q == nil {
		q = &queue{lane: l}
		p.lanes[l] = q
		p.ready = append(p.ready, q)
	}
	q.jobs = append(q.jobs, job)
	if len(p.ready) > 0 && p.workers < p.limit {
		p.workers++
		s.running.Go(func() { s.work(id, p) })
	}
}

func (s *scheduler) work(id principal.ID, p *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p.ready) > 0 {
		q := p.ready[0]
		p.ready = p.ready[1:]
		job := q.jobs[0]
		q.jobs[0] = nil
		q.jobs = q.jobs[1:]
		s.mu.Unlock()
		job()
		s.mu.Lock()
		p.jobs--
		if len(q.jobs) > 0 {
			p.ready = append(p.ready, q)
		} else {
			delete(p.lanes, q.lane)
		}
	}
	p.workers--
	s.forgetLocked(id, p)
}
