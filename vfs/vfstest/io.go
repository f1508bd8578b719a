package vfstest

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/astrid-go/astrid/vfs"
)

// IO shows a tree as an io/fs file system.
func IO(f vfs.FS) fs.ReadLinkFS { return ioFS{f} }

type ioFS struct{ vfs.FS }

// translate gives the errors that io/fs knows, and refuses what is no path of
// io/fs before it is parsed more kindly.
func translate(op, p string, err error) error {
	if err == nil {
		return nil
	}
	known := map[vfs.Code]error{vfs.CodeNotFound: fs.ErrNotExist, vfs.CodeExists: fs.ErrExist, vfs.CodeInvalid: fs.ErrInvalid}
	if is, ok := known[vfs.CodeOf(err)]; ok {
		err = is
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

func (f ioFS) name(op, p string) (vfs.Name, error) {
	if !fs.ValidPath(p) {
		return vfs.Name{}, &fs.PathError{Op: op, Path: p, Err: fs.ErrInvalid}
	}
	n, err := vfs.ParseName(p)
	return n, translate(op, p, err)
}

func (f ioFS) Open(p string) (fs.File, error) {
	n, err := f.name("open", p)
	if err != nil {
		return nil, err
	}
	i, err := f.FS.Stat(n)
	if err != nil {
		return nil, translate("open", p, err)
	}
	if i.IsDir() {
		names, err := f.FS.ReadDir(n)
		return &ioDir{ioInfo{path.Base(p), i}, f, n, names}, translate("open", p, err)
	}
	b, err := f.FS.ReadFile(n)
	return &ioFile{ioInfo{path.Base(p), i}, bytes.NewReader(b)}, translate("open", p, err)
}

func (f ioFS) Lstat(p string) (fs.FileInfo, error) {
	n, err := f.name("lstat", p)
	if err != nil {
		return nil, err
	}
	i, err := f.FS.Lstat(n)
	return ioInfo{path.Base(p), i}, translate("lstat", p, err)
}

func (f ioFS) ReadLink(p string) (string, error) {
	n, err := f.name("readlink", p)
	if err != nil {
		return "", err
	}
	target, err := f.FS.ReadLink(n)
	return target, translate("readlink", p, err)
}

type ioInfo struct {
	name string
	info vfs.Info
}

func (i ioInfo) Name() string       { return i.name }
func (i ioInfo) Size() int64        { return i.info.Size }
func (i ioInfo) Mode() fs.FileMode  { return i.info.Mode }
func (i ioInfo) ModTime() time.Time { return i.info.Modified }
func (i ioInfo) IsDir() bool        { return i.info.IsDir() }
func (i ioInfo) Sys() any           { return nil }

type ioFile struct {
	ioInfo
	*bytes.Reader
}

func (f *ioFile) Size() int64                { return f.info.Size }
func (f *ioFile) Stat() (fs.FileInfo, error) { return f.ioInfo, nil }
func (f *ioFile) Close() error               { return nil }

type ioDir struct {
	ioInfo
	fs   ioFS
	at   vfs.Name
	rest []string
}

func (d *ioDir) Stat() (fs.FileInfo, error) { return d.ioInfo, nil }
func (d *ioDir) Close() error               { return nil }

func (d *ioDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}

func (d *ioDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	out := make([]fs.DirEntry, n)
	for k, e := range d.rest[:n] {
		i, err := d.fs.FS.Lstat(d.at.Join(e))
		if err != nil {
			return nil, err
		}
		out[k] = fs.FileInfoToDirEntry(ioInfo{e, i})
	}
	d.rest = d.rest[n:]
	return out, nil
}
