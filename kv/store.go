package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The errors a caller can branch on.
var (
	ErrInvalidKey = errors.New("invalid key")
	ErrTooLarge   = errors.New("too large")
	ErrQuota      = errors.New("storage quota exceeded")
	ErrMismatch   = errors.New("value is not the expected one")
	ErrFull       = errors.New("store has reached its size limit")
	ErrLocked     = errors.New("store is in use by another process")
	ErrVersion    = errors.New("unknown store format")
	ErrClosed     = errors.New("store is closed")
)

// formatVersion is the layout of buckets below. It grows with each change.
const formatVersion = 1

// initialMap is the address space mapped at once. bbolt remaps when the file
// outgrows it and must wait for readers then, so it is generous; unused address
// space costs nothing.
const initialMap = 256 << 20

var (
	metaBucket = []byte("meta")    // versionKey
	dataBucket = []byte("data")    // one bucket a namespace, key to value
	usedBucket = []byte("used")    // namespace to big-endian bytes of keys and values
	versionKey = []byte("version") // big-endian uint64
)

// Config says how to open a store. The zero value is usable.
type Config struct {
	// LockTimeout is how long to wait for another process that has the file open; zero means one second.
	LockTimeout time.Duration
	// MaxBytes bounds the file; zero means no bound but the disk. Operations that free space may pass it by 32 MiB.
	MaxBytes int64
}

// Store is one open file of namespaces.
type Store struct {
	db       *bbolt.DB
	requests chan *operation // unbuffered: a sent operation is in the writer's hands
	closing  chan struct{}
	stop     sync.Once
	writer   sync.WaitGroup
	closeErr error // written once inside stop
}

// Open opens or makes the store at path, mode 0600. It fails with ErrLocked
// when another process has it and ErrVersion when a newer program wrote it.
// It starts one goroutine, the writer, which ends in Close.
func Open(path string, c Config) (*Store, error) {
	if c.LockTimeout <= 0 {
		c.LockTimeout = time.Second
	}
	if c.MaxBytes < 0 || c.MaxBytes > MaxStoreBytes {
		return nil, fmt.Errorf("open store %s: MaxBytes %d is outside 0..%d", path, c.MaxBytes, int64(MaxStoreBytes))
	}
	mapped := initialMap
	if c.MaxBytes > 0 {
		mapped = min(mapped, int(c.MaxBytes))
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: c.LockTimeout, InitialMmapSize: mapped, MaxSize: int(c.MaxBytes),
		FreelistType: bbolt.FreelistMapType, NoStatistics: true,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("open store %s: %w (waited %v); stop that process first", path, ErrLocked, c.LockTimeout)
	}
	if errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch) {
		return nil, fmt.Errorf("open store %s: %w: it is damaged or no store; restore it from a backup, or move it away to begin anew", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := db.Update(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	s := &Store{db: db, requests: make(chan *operation), closing: make(chan struct{})}
	s.writer.Go(s.write) // ends when closing is closed; Close waits
	return s, nil
}

// prepare lays out a new store and checks the format of an old one.
func prepare(tx *bbolt.Tx) error {
	if meta := tx.Bucket(metaBucket); meta != nil {
		found := meta.Get(versionKey)
		if len(found) != 8 {
			return fmt.Errorf("%w: the version is unreadable; restore the file from a backup", ErrVersion)
		}
		if v := binary.BigEndian.Uint64(found); v != formatVersion {
			return fmt.Errorf("%w %d, this program reads %d; use the program that wrote it", ErrVersion, v, formatVersion)
		}
		return nil
	}
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	for _, name := range [][]byte{dataBucket, usedBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return meta.Put(versionKey, binary.BigEndian.AppendUint64(nil, formatVersion))
}

// Close lets the writer finish what it holds, waits for it and for open reads,
// and closes the file. It is safe twice; later calls on handles give ErrClosed.
func (s *Store) Close() error {
	s.stop.Do(func() {
		close(s.closing)
		s.writer.Wait()
		if err := s.db.Close(); err != nil {
			s.closeErr = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closeErr
}

// view reads in a transaction that ends before it returns.
func (s *Store) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.View(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
