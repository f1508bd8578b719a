package overlay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/vfs"
)

const indexFile = "index"

// entry is a line of the index: what became true of a path.
type entry struct {
	Path string `json:"p"`
	// Base is the identity of the path in the lower when it was first changed.
	Base string `json:"base,omitempty"`
	// White says that the lower's path is hidden, or not any more.
	White *bool `json:"white,omitempty"`
	// Forget drops the base.
	Forget bool `json:"forget,omitempty"`
}

// index is the overlay's memory beside the data. It is a log: every change is a
// line at the end, and Open replays it. The overlay's lock guards it.
type index struct {
	dir    *durable.Dir
	file   *os.File
	size   int64 // of the lines that are acknowledged
	base   map[string]string
	white  map[string]bool
	lines  int
	most   int   // lines at which the log is written anew
	broken error // a line could not be taken back: nothing more is accepted
}

// slack is how many lines of the log may be out of date before it is written
// anew, besides half of it.
const slack = 1024

// openIndex replays the log. A last line without its end is one that was never
// acknowledged; it is cut off.
func openIndex(dir *durable.Dir) (*index, error) {
	x := &index{dir: dir, base: map[string]string{}, white: map[string]bool{}}
	f, err := dir.Root().OpenFile(indexFile, os.O_RDWR|os.O_CREATE, durable.Private)
	if err != nil {
		return nil, fmt.Errorf("open the index: %w", err)
	}
	x.file = f
	if x.size, err = x.replay(f); err == nil {
		err = f.Truncate(x.size)
	}
	if err == nil {
		_, err = f.Seek(x.size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the index: %w", err), f.Close())
	}
	x.most = 2*(len(x.base)+len(x.white)) + slack
	return x, nil
}

// replay applies the lines of a log and returns where the last whole one ends.
func (x *index) replay(log io.Reader) (good int64, err error) {
	in := bufio.NewReader(log)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		if err != nil {
			return 0, err
		}
		e, err := parseEntry(line)
		if err != nil {
			return 0, fmt.Errorf("line at byte %d: %w; restore the overlay or remove it", good, err)
		}
		x.apply(e)
		good += int64(len(line))
		x.lines++
	}
}

func parseEntry(line []byte) (entry, error) {
	var e entry
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("more than one entry")
	}
	n, err := vfs.ParseName(e.Path)
	if err == nil && (n.String() != e.Path || n.IsRoot()) {
		err = errors.New("the path is not in its plain form")
	}
	return e, err
}

func (x *index) apply(e entry) {
	if e.Forget {
		delete(x.base, e.Path)
	}
	if e.Base != "" {
		x.base[e.Path] = e.Base
	}
	if e.White != nil && *e.White {
		x.white[e.Path] = true
	} else if e.White != nil {
		delete(x.white, e.Path)
	}
}

// add appends entries in one write, then applies them. What cannot be written
// as a whole is taken back.
func (x *index) add(entries ...entry) error {
	if x.broken != nil || len(entries) == 0 {
		return x.broken
	}
	lines, err := encode(entries)
	if err != nil {
		return err
	}
	if _, err := x.file.Write(lines); err != nil {
		at, _ := vfs.ParseName(entries[0].Path)
		if undo := x.rewind(); undo != nil {
			x.broken = vfs.Wrap("record a change of", at, undo)
		}
		return vfs.Wrap("record a change of", at, err)
	}
	x.size += int64(len(lines))
	for _, e := range entries {
		x.apply(e)
	}
	if x.lines += len(entries); x.lines > x.most {
		x.compact()
	}
	return nil
}

func encode(entries []entry) ([]byte, error) {
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	for _, e := range entries {
		if err := out.Encode(e); err != nil {
			return nil, fmt.Errorf("write the index: %w", err)
		}
	}
	return lines.Bytes(), nil
}

func (x *index) rewind() error {
	_, err := x.file.Seek(x.size, io.SeekStart)
	return errors.Join(x.file.Truncate(x.size), err)
}

// compact writes the log anew with only what still holds. When that fails the
// old log goes on: it holds the same, only longer.
func (x *index) compact() {
	x.most = 2*x.lines + slack
	var all []entry
	for p, base := range x.base {
		all = append(all, entry{Path: p, Base: base})
	}
	for p := range x.white {
		all = append(all, white(p, true))
	}
	lines, err := encode(all)
	if err == nil {
		err = x.dir.Replace(indexFile, lines, durable.Private)
	}
	if err != nil {
		return
	}
	f, err := x.dir.Root().OpenFile(indexFile, os.O_RDWR, durable.Private)
	if err == nil {
		_, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil { // the file that is open is not the one that will be read
		x.broken = vfs.Wrap("open the index again", vfs.Root(), err)
		return
	}
	x.broken = x.file.Close()
	x.file, x.size, x.lines = f, int64(len(lines)), len(all)
	x.most = 2*x.lines + slack
}

// clear forgets everything.
func (x *index) clear() error {
	x.size = 0
	if err := x.rewind(); err != nil {
		x.broken = vfs.Wrap("clear the index of", vfs.Root(), err)
		return x.broken
	}
	clear(x.base)
	clear(x.white)
	x.lines, x.most, x.broken = 0, slack, nil
	return nil
}

// hides returns the whiteout that hides a path of the lower, if there is one.
func (x *index) hides(p string) (by string, hidden bool) {
	for at := p; at != "." && at != ""; {
		if x.white[at] {
			return at, true
		}
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			break
		}
		at = at[:i]
	}
	return "", false
}

func (x *index) close() error {
	err := x.file.Close()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

func white(p string, on bool) entry { return entry{Path: p, White: &on} }
