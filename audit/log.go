package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/astrid-go/astrid/internal/durable"
)

// Defaults of Config.
const (
	// DefaultSegmentBytes keeps a segment small enough to copy and look at.
	DefaultSegmentBytes = 64 << 20
	// DefaultSignInterval bounds how long a Written record is unsigned, and how
	// much of them power loss takes.
	DefaultSignInterval = 100 * time.Millisecond
)

// ErrClosed means that the log was closed.
var ErrClosed = errors.New("audit log is closed")

// ErrFailed means that a write or sync failed earlier; nothing more is accepted.
var ErrFailed = errors.New("audit log has failed and takes no more records")

// ErrNotFound means that there is no record with the sequence number.
var ErrNotFound = errors.New("no such audit record")

// Durability is what Append has done when it returns.
type Durability int

// The durabilities.
const (
	// Written survives the end of the process: the record is in the kernel's
	// page cache. It is signed and synced within the sign interval.
	Written Durability = iota
	// Synced survives power loss and is covered by a signed checkpoint.
	Synced
)

// Config says how to open a log. Dir, Key and Origin are needed.
type Config struct {
	Dir    string // made with mode 0700 if missing
	Key    ed25519.PrivateKey
	Origin string // name of the log in checkpoints, at most MaxOriginBytes, no spaces or plus signs
	// Trusted are further keys whose checkpoints are accepted, such as the one before a rotation.
	Trusted []ed25519.PublicKey

	Clock        func() time.Time // nil means time.Now
	Logger       *slog.Logger     // nil means silence
	SegmentBytes int64            // 0 means DefaultSegmentBytes
	SignInterval time.Duration    // 0 means DefaultSignInterval
}

// Recovery is what Open found to mend. The zero value means nothing.
type Recovery struct {
	TornFile   string // segment with an unfinished tail, which was cut
	TornOffset int64
	TornBytes  int64
	Unsigned   uint64 // whole records after the last checkpoint, now signed
}

// Log is an open log. It is safe for concurrent use.
type Log struct {
	clock     func() time.Time
	root      *os.Root // for reading
	requests  chan *request
	closing   chan struct{}
	stop      sync.Once
	committer sync.WaitGroup
	closeErr  error // written once inside stop
	recovered Recovery

	mu         sync.Mutex
	size       uint64
	checkpoint Checkpoint
	segments   []segment // published; elements but the last do not change
}

// Open verifies the log in c.Dir, or starts one there, and makes it ready to
// append. It fails with *TamperedError when the log does not fit. It starts one
// goroutine, the committer, which ends in Close.
func Open(ctx context.Context, c Config) (*Log, error) {
	return openOn(ctx, c, osFiles)
}

func openOn(ctx context.Context, c Config, files opener) (*Log, error) {
	c = c.withDefaults()
	sign, err := newSigner(c.Origin, c.Key)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if err := durable.MkdirAll(c.Dir, durable.PrivateDir); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	dir, err := durable.OpenDir(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l, err := recoverLog(ctx, c, &writer{dir: dir, sign: sign, files: files, segmentBytes: c.SegmentBytes})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log %s: %w", c.Dir, err), dir.Close())
	}
	return l, nil
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.SegmentBytes <= 0 {
		c.SegmentBytes = DefaultSegmentBytes
	}
	if c.SignInterval <= 0 {
		c.SignInterval = DefaultSignInterval
	}
	return c
}

// recoverLog scans, cuts a torn tail, and signs what is unsigned. A crash in
// between leaves a log that the next Open treats the same way.
func recoverLog(ctx context.Context, c Config, w *writer) (*Log, error) {
	if err := w.dir.Sweep(); err != nil {
		return nil, err
	}
	trusted := append([]ed25519.PublicKey{c.Key.Public().(ed25519.PublicKey)}, c.Trusted...)
	s := newScanner(w.dir.Root(), c.Origin, trusted)
	if err := s.scan(ctx); err != nil {
		return nil, err
	}
	if len(s.problems) > 0 {
		return nil, &TamperedError{s.problems[0]}
	}
	l := &Log{
		clock: c.Clock, root: w.dir.Root(), requests: make(chan *request), closing: make(chan struct{}),
		recovered: Recovery{Unsigned: s.unsigned()},
	}
	if s.torn != nil {
		l.recovered.TornFile, l.recovered.TornOffset, l.recovered.TornBytes = s.torn.file, s.torn.offset, s.torn.bytes
		c.Logger.Warn("cut the torn tail of the audit log", "file", s.torn.file, "offset", s.torn.offset, "bytes", s.torn.bytes)
	}
	if err := w.resume(s); err != nil {
		return nil, errors.Join(err, w.closeFiles())
	}
	l.publish(w)
	l.committer.Go(func() { l.commitAll(w, c.SignInterval, c.Logger) }) // ends when closing is closed; Close waits
	return l, nil
}

// Recovered says what Open had to mend, so that its caller can record it.
func (l *Log) Recovered() Recovery { return l.recovered }

// request is one Append on its way through the committer.
type request struct {
	entry      Entry
	durability Durability
	ref        Ref
	done       chan error
}

// Append adds a record and returns when it is as durable as asked, or fails. If
// ctx ends before the committer has taken the entry, nothing is recorded;
// afterwards Append waits for the outcome. After ErrFailed it is unknown
// whether the entry is in the log.
func (l *Log) Append(ctx context.Context, e Entry, d Durability) (Ref, error) {
	if err := e.check(); err != nil {
		return Ref{}, err
	}
	if err := ctx.Err(); err != nil {
		return Ref{}, err
	}
	if e.Time.IsZero() {
		e.Time = l.clock()
	}
	r := &request{entry: e, durability: d, done: make(chan error, 1)}
	select {
	case <-l.closing:
		return Ref{}, ErrClosed
	default:
	}
	select {
	case l.requests <- r: // unbuffered: it is in the committer's hands
		err := <-r.done
		return r.ref, err
	case <-l.closing:
		return Ref{}, ErrClosed
	case <-ctx.Done():
		return Ref{}, ctx.Err()
	}
}

// Checkpoint is the last signed one.
func (l *Log) Checkpoint() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpoint
}

// Size is the number of records in the log.
func (l *Log) Size() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

// Close signs what is unsigned, waits for the committer and closes the files.
// It is safe twice. After it, appends and reads fail with ErrClosed.
func (l *Log) Close() error {
	l.stop.Do(func() {
		close(l.closing)
		l.committer.Wait()
	})
	return l.closeErr
}
