package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Code is the kind of a failure, in the words of astrid:fs.
type Code string

// The codes.
const (
	CodeNotFound     Code = "not-found"
	CodeAccess       Code = "access"
	CodeEscape       Code = "boundary-escape"
	CodeInvalid      Code = "invalid-path"
	CodeIsDirectory  Code = "is-directory"
	CodeNotDirectory Code = "not-directory"
	CodeNotEmpty     Code = "not-empty"
	CodeTooLarge     Code = "too-large"
	CodeQuota        Code = "quota"
	CodeExists       Code = "already-exists"
	CodeClosed       Code = "closed"
	CodeUnknown      Code = "unknown"
)

// PathError is every error of a file system here.
type PathError struct {
	Op   string // what was tried
	Name string // the path inside the handle, as it came
	Code Code
	Err  error // the reason
}

// Error names the operation, the path inside the handle and the reason; it holds
// no path of the host.
func (e *PathError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, display(e.Name), e.Err) }

// Unwrap returns the reason.
func (e *PathError) Unwrap() error { return e.Err }

// CodeOf returns the code of err, CodeUnknown when it has none.
func CodeOf(err error) Code {
	var p *PathError
	if errors.As(err, &p) {
		return p.Code
	}
	return CodeUnknown
}

func fail(op, name string, code Code, why string) error {
	return &PathError{Op: op, Name: name, Code: code, Err: errors.New(why)}
}

// Wrap classifies an error of the operating system and hides host paths in it.
func Wrap(op string, name Name, err error) error {
	var ours *PathError
	if err == nil || errors.As(err, &ours) {
		return err
	}
	reason := err
	if inner := cause(err); inner != nil {
		reason = inner
	}
	return &PathError{Op: op, Name: name.text, Code: classify(err), Err: reason}
}

// cause returns what an error with paths in it is about, nil when it has none.
func cause(err error) error {
	var one *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &one):
		return one.Err
	case errors.As(err, &two):
		return two.Err
	}
	return nil
}

func classify(err error) Code {
	for _, known := range []struct {
		err  error
		code Code
	}{
		{fs.ErrNotExist, CodeNotFound}, {syscall.ENOTEMPTY, CodeNotEmpty}, {fs.ErrExist, CodeExists}, // the second is the third, too
		{fs.ErrPermission, CodeAccess}, {syscall.EISDIR, CodeIsDirectory}, {syscall.ENOTDIR, CodeNotDirectory},
		{fs.ErrClosed, CodeClosed}, {syscall.ENOSPC, CodeQuota}, {syscall.EDQUOT, CodeQuota},
		{syscall.ENAMETOOLONG, CodeInvalid}, {syscall.ELOOP, CodeEscape},
		{syscall.ENXIO, CodeAccess}, {syscall.ENODEV, CodeAccess}, {syscall.EROFS, CodeAccess}, {syscall.EINVAL, CodeInvalid},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	if escapes(err) {
		return CodeEscape
	}
	return CodeUnknown
}

// escapes recognises the refusal of os.Root, which exports no value for it.
func escapes(err error) bool {
	inner := cause(err)
	return inner != nil && inner.Error() == "path escapes from parent"
}
