package durable

import (
	"io/fs"
	"os"
)

// disk is what the steps of a durable change do; tests make each of them fail.
type disk interface {
	open(name string, flag int, mode fs.FileMode) (file, error)
	rename(from, to string) error
	link(from, to string) error
	remove(name string) error
}

type file interface {
	Write([]byte) (int, error)
	Chmod(fs.FileMode) error
	Sync() error
	Close() error
}

type osDisk struct{ root *os.Root }

func (d osDisk) open(name string, flag int, mode fs.FileMode) (file, error) {
	f, err := d.root.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err // a nil *os.File in the interface would not be nil
	}
	return f, nil
}

func (d osDisk) rename(from, to string) error { return d.root.Rename(from, to) }
func (d osDisk) link(from, to string) error   { return d.root.Link(from, to) }
func (d osDisk) remove(name string) error     { return d.root.Remove(name) }
