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
	file   *os.File
	base   map[string]string
	white  map[string]bool
	lines  int
	broken error // a line was not written: nothing more is accepted
}

// openIndex replays the log. A last line without its end is one that was never
// acknowledged; it is cut off.
func openIndex(dir *durable.Dir) (*index, error) {
	x := &index{base: map[string]string{}, white: map[string]bool{}}
	f, err := dir.Root().OpenFile(indexFile, os.O_RDWR|os.O_CREATE, durable.Private)
	if err != nil {
		return nil, fmt.Errorf("open the index: %w", err)
	}
	good, err := x.replay(f)
	if err == nil {
		err = f.Truncate(good)
	}
	if err == nil && x.lines > 2*(len(x.base)+len(x.white))+64 {
		err = errors.Join(f.Close(), x.compact(dir))
		if err == nil {
			f, err = dir.Root().OpenFile(indexFile, os.O_RDWR, durable.Private)
		}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the index: %w", err), f.Close())
	}
	x.file = f
	return x, nil
}

func (x *index) replay(f *os.File) (good int64, err error) {
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		if err != nil {
			return 0, err
		}
		var e entry
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return 0, fmt.Errorf("line at byte %d: %w; restore the overlay or remove it", good, err)
		}
		x.apply(e)
		good += int64(len(line))
		x.lines++
	}
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

// add appends entries in one write, then applies them.
func (x *index) add(entries ...entry) error {
	if x.broken != nil || len(entries) == 0 {
		return x.broken
	}
	var lines bytes.Buffer
	for _, e := range entries {
		b, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("write the index: %w", err)
		}
		lines.Write(append(b, '\n'))
	}
	if _, err := x.file.Write(lines.Bytes()); err != nil {
		x.broken = fmt.Errorf("write the index: %w; open the overlay again", err)
		return x.broken
	}
	for _, e := range entries {
		x.apply(e)
	}
	x.lines += len(entries)
	return nil
}

// compact writes the log anew with only what still holds.
func (x *index) compact(dir *durable.Dir) error {
	var all bytes.Buffer
	yes := true
	for p, base := range x.base {
		if err := json.NewEncoder(&all).Encode(entry{Path: p, Base: base}); err != nil {
			return err
		}
	}
	for p := range x.white {
		if err := json.NewEncoder(&all).Encode(entry{Path: p, White: &yes}); err != nil {
			return err
		}
	}
	x.lines = len(x.base) + len(x.white)
	return dir.Replace(indexFile, all.Bytes(), durable.Private)
}

// clear forgets everything.
func (x *index) clear() error {
	if err := x.file.Truncate(0); err != nil {
		return fmt.Errorf("clear the index: %w", err)
	}
	if _, err := x.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("clear the index: %w", err)
	}
	clear(x.base)
	clear(x.white)
	x.lines = 0
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
