package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// maxGroup bounds the records, and maxGroupBytes the data, of one commit, so that the first of a
// group does not wait for a crowd and the buffer stays small.
const (
	maxGroup      = 1024
	maxGroupBytes = 1 << 20
)

// commitAll is the committer goroutine. It alone uses w.
func (l *Log) commitAll(w *writer, interval time.Duration, logger *slog.Logger) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		var due <-chan time.Time // nil while nothing waits for a signature
		if w.unsigned() > 0 && w.failed == nil {
			due = timer.C
		}
		select {
		case r := <-l.requests:
			fresh := w.unsigned() == 0
			l.commit(w, l.gather(r))
			if fresh {
				timer.Reset(interval)
			}
		case <-due:
			if err := w.checkpoint(); err != nil {
				logger.Error("sign audit log", "error", err)
				continue
			}
			l.publish(w)
		case <-l.closing:
			l.closeErr = errors.Join(w.checkpoint(), w.closeFiles(), w.dir.Close())
			if w.failed == nil {
				l.publish(w)
			}
			return
		}
	}
}

// gather takes what waits by now, without waiting.
func (l *Log) gather(first *request) []*request {
	group, size := []*request{first}, len(first.entry.Body)
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case r := <-l.requests:
			group, size = append(group, r), size+len(r.entry.Body)
		default:
			return group
		}
	}
	return group
}

// commit writes a group with one write, answers those who asked for Written,
// and signs and syncs once for all who asked for Synced.
func (l *Log) commit(w *writer, group []*request) {
	err := w.write(group)
	if err == nil {
		l.publish(w)
	}
	answer(group, Written, err)
	if slices.ContainsFunc(group, func(r *request) bool { return r.durability != Written }) {
		if err == nil {
			if err = w.checkpoint(); err == nil {
				l.publish(w)
			}
		}
		answer(group, Synced, err)
	}
}

// answer ends the requests of one durability. What is not Written is Synced, so
// that an unknown durability gets the most.
func answer(group []*request, d Durability, err error) {
	if err != nil {
		err = fmt.Errorf("append to audit log: %w", err)
	}
	for _, r := range group {
		if (r.durability == Written) != (d == Written) {
			continue
		}
		if err != nil {
			r.ref = Ref{}
		}
		r.done <- err
	}
}

// publish shows readers what w has written.
func (l *Log) publish(w *writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size, l.checkpoint = w.published, w.signed
	l.segments = slices.Clone(w.segments) // marks only grow behind the lengths cloned
}
