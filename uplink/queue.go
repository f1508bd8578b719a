package uplink

import "sync"

const (
	// maxQueued and maxQueuedBytes bound what waits for one client.
	maxQueued      = 1024
	maxQueuedBytes = 4 << 20
	// maxBatch and maxBatchBytes bound what one write with its deadline carries.
	maxBatch      = 64
	maxBatchBytes = 256 << 10
)

// queue holds the frames that wait for one client, headers included. Frames are
// shared between queues and must not be changed.
type queue struct {
	wake chan struct{} // capacity 1: something changed

	mu       sync.Mutex // guards what follows
	frames   [][]byte
	bytes    int
	finished bool // nothing more is taken; what waits is still sent
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put adds a frame. It returns false, and finishes the queue, when the frame does
// not fit; a frame after the end is dropped in silence, as its client is gone.
func (q *queue) put(frame []byte) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.finished {
		return true
	}
	if len(q.frames) >= maxQueued || q.bytes+len(frame) > maxQueuedBytes {
		q.finished = true
		return false
	}
	q.frames = append(q.frames, frame)
	q.bytes += len(frame)
	q.signal()
	return true
}

// finish lets the writer end once everything is sent.
func (q *queue) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finished = true
	q.signal()
}

// signal never waits, so it may run under mu.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves the next frames into batch. more is false once there will be none.
func (q *queue) take(batch [][]byte) (taken [][]byte, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.frames) && n < maxBatch && (n == 0 || size+len(q.frames[n]) <= maxBatchBytes) {
		size += len(q.frames[n])
		n++
	}
	batch = append(batch, q.frames[:n]...)
	clear(q.frames[:n])
	if q.frames = q.frames[n:]; len(q.frames) == 0 {
		q.frames = nil
	}
	q.bytes -= size
	return batch, n > 0 || !q.finished
}
