package host

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/wasm/canon"
)

type fsCase uint8

// WITCases names the cases of astrid:fs's error-code.
func (fsCase) WITCases() []string {
	return []string{
		"not-found", "access", "capability-denied", "boundary-escape", "invalid-path", "would-block",
		"is-directory", "not-directory", "not-empty", "too-large", "quota", "cross-vfs",
		"already-exists", "closed", "unknown",
	}
}

type fsError struct {
	Case fsCase `wit:",case"`
	Text string `wit:"unknown"`
}

func newFSError(err error) fsError {
	c, text := caseOf[fsCase](err, func(err error) string { return string(vfs.CodeOf(err)) })
	return fsError{c, text}
}

type fileType uint8

// WITCases names the cases of astrid:fs's file-type.
func (fileType) WITCases() []string {
	return []string{
		"type-unknown", "regular", "directory", "symlink", "block-device", "character-device", "fifo", "socket",
	}
}

type datetime struct {
	Seconds     int64
	Nanoseconds uint32
}

type fileStat struct {
	Size     uint64
	Kind     fileType
	Mode     uint32
	Modified canon.Option[datetime]
	Created  canon.Option[datetime]
	Accessed canon.Option[datetime]
}

type fsResult[T any] = canon.Result[T, fsError]

func fsAnswer[T any](v T, err error) fsResult[T] { return result(v, err, newFSError) }

func fsDone(err error) fsResult[canon.Unit] { return fsAnswer(canon.Unit{}, err) }

func fsInterface() canon.Interface {
	return canon.Interface{Name: "astrid:fs/host@1.0.0", Funcs: []canon.HostFunc{
		canon.Func1("fs-exists", fsExists),
		canon.Func1("fs-mkdir", fsMkdir),
		canon.Func1("fs-mkdir-all", fsMkdirAll),
		canon.Func1("fs-readdir", fsReaddir),
		canon.Func1("fs-stat", fsStat),
		canon.Func1("fs-stat-symlink", fsStatSymlink),
		canon.Func1("fs-unlink", fsUnlink),
		canon.Func1("read-file", readFile),
		canon.Func2("write-file", writeFile),
		canon.Func2("fs-append", fsAppend),
		canon.Func2("fs-copy", fsCopy),
		canon.Func2("fs-rename", fsRename),
		canon.Func1("fs-remove-dir-all", fsRemoveDirAll),
		canon.Func1("fs-read-link", fsReadLink),
	}}
}

// place is a guest's path after it was read: which tree, where in it, and the
// one spelling of it that grants are written in.
type place struct {
	tree     vfs.FS
	name     vfs.Name
	resource string
}

// The schemes of paths, as grants spell them.
const (
	schemeWorkspace = "cwd://"
	schemeHome      = "home://"
	schemeTemp      = "tmp://"
)

// end says what an operation does with a link at the end of its path.
type end bool

const (
	followed end = true  // it acts on what the link leads to
	itself   end = false // it acts on the link
)

// locate reads a guest's path and follows its links, so that the gate is asked
// about what is acted upon and not about what it is called: a link inside a
// granted directory opens nothing outside it. A path that names no place at all
// is refused here, on the record: no grant could allow it.
func (i *Instance) locate(ctx context.Context, action, p string, last end) (place, error) {
	tree, scheme, rest := i.Workspace, schemeWorkspace, p
	switch {
	case strings.HasPrefix(p, schemeWorkspace):
		rest = strings.TrimPrefix(p, schemeWorkspace)
	case strings.HasPrefix(p, schemeHome):
		tree, scheme, rest = i.Home, schemeHome, strings.TrimPrefix(p, schemeHome)
	case p == "/tmp" || strings.HasPrefix(p, "/tmp/"):
		tree, scheme, rest = i.Temp, schemeTemp, strings.TrimLeft(strings.TrimPrefix(p, "/tmp"), "/")
	}
	name, err := vfs.ParseName(rest)
	if err == nil {
		name, err = tree.Resolve(name, bool(last))
	}
	if err != nil {
		return place{}, i.refuse(ctx, action, p, err)
	}
	resource := scheme
	if !name.IsRoot() {
		resource += name.String()
	}
	return place{tree, name, resource}, nil
}

// errOutside is why a link is not told.
var errOutside = errors.New("the link leads out")

// boundaryRule is the rule behind every boundary-escape.
const boundaryRule = "a path is relative or begins with cwd://, home:// or /tmp/, and nothing on it leads out of that tree, links neither"

// refuse puts a path that leads out of its tree on the record. Other faults of a
// path are no denials and come back as they are.
func (i *Instance) refuse(ctx context.Context, action, p string, err error) error {
	if vfs.CodeOf(err) != vfs.CodeEscape {
		return err
	}
	recorded := i.Gate.Refuse(ctx, i.request(action, p), gate.Refusal{
		Code: gate.CodeBoundary, Rule: boundaryRule, Unlock: "use a path inside the tree",
	})
	if !denied(recorded) {
		return recorded
	}
	return WithCode(string(vfs.CodeEscape), err)
}

// use runs one operation on what a path leads to.
func use[T any](ctx context.Context, action, p string, act func(vfs.FS, vfs.Name) (T, error)) (T, error) {
	return operate(ctx, action, p, followed, act)
}

// operate runs one operation on a path: read it, ask, act.
func operate[T any](ctx context.Context, action, p string, last end, act func(vfs.FS, vfs.Name) (T, error)) (out T, err error) {
	i := of(ctx)
	at, err := i.locate(ctx, action, p, last)
	if err != nil {
		return out, err
	}
	err = i.permitted(ctx, i.request(action, at.resource), func() (err error) {
		out, err = act(at.tree, at.name)
		return err
	})
	return out, i.refuse(ctx, action, p, err)
}

// do is operate for operations that return nothing.
func do(ctx context.Context, action, p string, last end, act func(vfs.FS, vfs.Name) error) error {
	_, err := operate(ctx, action, p, last, func(t vfs.FS, n vfs.Name) (struct{}, error) { return struct{}{}, act(t, n) })
	return err
}

func readFile(ctx context.Context, p string) fsResult[[]byte] {
	return fsAnswer(use(ctx, "fs.read", p, vfs.FS.ReadFile))
}

func writeFile(ctx context.Context, p string, content []byte) fsResult[canon.Unit] {
	return fsDone(do(ctx, "fs.write", p, followed, func(t vfs.FS, n vfs.Name) error { return t.WriteFile(n, content) }))
}

func fsAppend(ctx context.Context, p string, content []byte) fsResult[canon.Unit] {
	return fsDone(do(ctx, "fs.write", p, followed, func(t vfs.FS, n vfs.Name) error { return t.Append(n, content) }))
}

func fsExists(ctx context.Context, p string) fsResult[bool] {
	return fsAnswer(use(ctx, "fs.read", p, func(t vfs.FS, n vfs.Name) (bool, error) {
		_, err := t.Stat(n)
		if code := vfs.CodeOf(err); err != nil && (code == vfs.CodeNotFound || code == vfs.CodeNotDirectory) {
			return false, nil
		}
		return err == nil, err
	}))
}

func fsMkdir(ctx context.Context, p string) fsResult[canon.Unit] {
	return fsDone(do(ctx, "fs.write", p, followed, vfs.FS.Mkdir))
}

func fsMkdirAll(ctx context.Context, p string) fsResult[canon.Unit] {
	return fsDone(do(ctx, "fs.write", p, followed, vfs.FS.MkdirAll))
}

func fsReaddir(ctx context.Context, p string) fsResult[[]string] {
	return fsAnswer(use(ctx, "fs.read", p, vfs.FS.ReadDir))
}

func fsStat(ctx context.Context, p string) fsResult[fileStat] {
	return stat(ctx, p, followed, vfs.FS.Stat)
}

func fsStatSymlink(ctx context.Context, p string) fsResult[fileStat] {
	return stat(ctx, p, itself, vfs.FS.Lstat)
}

func stat(ctx context.Context, p string, last end, look func(vfs.FS, vfs.Name) (vfs.Info, error)) fsResult[fileStat] {
	i, err := operate(ctx, "fs.read", p, last, look)
	if err != nil {
		return fsAnswer(fileStat{}, err)
	}
	s := fileStat{Size: uint64(i.Size), Kind: kindOf(i), Mode: uint32(i.Mode.Perm())}
	s.Modified = canon.Some(datetime{i.Modified.Unix(), uint32(i.Modified.Nanosecond())})
	return fsAnswer(s, nil)
}

func kindOf(i vfs.Info) fileType {
	switch {
	case i.Mode.IsRegular():
		return 1
	case i.IsDir():
		return 2
	case i.IsLink():
		return 3
	}
	return 0
}

func fsUnlink(ctx context.Context, p string) fsResult[canon.Unit] {
	return fsDone(do(ctx, "fs.write", p, itself, vfs.FS.Remove))
}

func fsRemoveDirAll(ctx context.Context, p string) fsResult[uint64] {
	return fsAnswer(operate(ctx, "fs.write", p, itself, func(t vfs.FS, n vfs.Name) (uint64, error) {
		removed, err := t.RemoveAll(n)
		return uint64(removed), err
	}))
}

// fsReadLink answers in terms of the guest: a target that leads out is refused,
// so that it tells nothing about the machine.
func fsReadLink(ctx context.Context, p string) fsResult[string] {
	return fsAnswer(operate(ctx, "fs.read", p, itself, func(t vfs.FS, n vfs.Name) (string, error) {
		target, err := t.ReadLink(n)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) || strings.HasPrefix(path.Join(n.Dir().String(), target), "..") {
			return "", &vfs.PathError{Op: "read link", Name: n.String(), Code: vfs.CodeEscape, Err: errOutside}
		}
		return target, nil
	}))
}

func fsCopy(ctx context.Context, from, to string) fsResult[canon.Unit] {
	content, err := use(ctx, "fs.read", from, vfs.FS.ReadFile)
	if err != nil {
		return fsDone(err)
	}
	return writeFile(ctx, to, content)
}

// fsRename needs leave to write at both ends: one of them loses a file.
func fsRename(ctx context.Context, from, to string) fsResult[canon.Unit] {
	i := of(ctx)
	source, err := i.locate(ctx, "fs.write", from, itself)
	if err != nil {
		return fsDone(err)
	}
	return fsDone(do(ctx, "fs.write", to, itself, func(t vfs.FS, n vfs.Name) error {
		if t != source.tree {
			return failed("cross-vfs", "both ends must be in one tree")
		}
		return i.permitted(ctx, i.request("fs.write", source.resource), func() error { return t.Rename(source.name, n) })
	}))
}
