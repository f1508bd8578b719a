package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
)

// TamperedError says that the log is not what was written: the first problem.
// Someone has to decide what to do with the directory before a log is opened
// in it again.
type TamperedError struct{ Problem }

// Error names record, file, offset and reason.
func (e *TamperedError) Error() string { return "audit log was tampered with: " + e.String() }

// Report is the result of Verify. The log is intact if there are no Problems.
type Report struct {
	Records    uint64     // read, good or bad
	Unsigned   uint64     // records after the last checkpoint
	TornBytes  int64      // unfinished bytes after them, as a crash leaves
	Checkpoint Checkpoint // the last good one
	Problems   []Problem  // at most 100
}

// Verify reads the log in dir, which nobody may be writing, and changes nothing.
// It trusts checkpoints signed with one of the keys and no others. Its error
// says that the log could not be checked.
func Verify(dir string, trusted ...ed25519.PublicKey) (Report, error) {
	return VerifyContext(context.Background(), dir, trusted...)
}

// VerifyContext is Verify, and stops with the context's error when it ends.
func VerifyContext(ctx context.Context, dir string, trusted ...ed25519.PublicKey) (Report, error) {
	if len(trusted) == 0 {
		return Report{}, errors.New("verify audit log: no trusted key given")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	defer root.Close()
	s := newScanner(root, "", trusted)
	if err := s.scan(ctx); err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	if len(s.segments) == 0 && len(s.problems) == 0 {
		return Report{}, fmt.Errorf("verify audit log: no log in %s", dir)
	}
	r := Report{Records: s.seq, Unsigned: s.unsigned(), Checkpoint: s.last, Problems: s.problems}
	if s.torn != nil {
		r.TornBytes = s.torn.bytes
	}
	return r, nil
}

// readAtMost reads a file whose size is not trusted.
func readAtMost(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
