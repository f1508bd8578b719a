package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const firstSegment = "00000000000000000000.seg"

// cutFrames cuts a segment into the bytes of its frames.
func cutFrames(t testing.TB, data []byte) [][]byte {
	t.Helper()
	var cut [][]byte
	for len(data) > 0 {
		f, err := decodeFrame(data)
		if err != nil {
			t.Fatal(err)
		}
		cut, data = append(cut, data[:f.size()]), data[f.size():]
	}
	return cut
}

// smallLog is a closed log: start, checkpoint 0, four records signed two and two.
func smallLog(t testing.TB) (Config, map[string][]byte) {
	t.Helper()
	c := testConfig(t.TempDir())
	l := mustOpen(t, c)
	for i := range 4 {
		if _, err := l.Append(context.Background(), entry(i), Durability(i%2)); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	return c, readDir(t, c.Dir)
}

// assertTampered fails unless Verify and Open both find and name a problem.
func assertTampered(t *testing.T, c Config, what string) Problem {
	t.Helper()
	report, err := Verify(c.Dir, public(c.Key))
	if err != nil || len(report.Problems) == 0 {
		t.Fatalf("%s: Verify found nothing: %+v, %v", what, report, err)
	}
	l, err := Open(context.Background(), c)
	var tampered *TamperedError
	if !errors.As(err, &tampered) {
		if err == nil {
			l.Close()
		}
		t.Fatalf("%s: Open: %v", what, err)
	}
	if tampered.File == "" || tampered.Reason == "" || tampered.Problem != report.Problems[0] {
		t.Fatalf("%s: Open named %v, Verify %v", what, tampered, report.Problems[0])
	}
	return tampered.Problem
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	c, files := smallLog(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for i := range files[name] {
			changed := maps.Clone(files)
			changed[name] = bytes.Clone(files[name])
			changed[name][i] ^= 0x10
			writeDir(t, c.Dir, changed)
			found := assertTampered(t, c, fmt.Sprintf("%s byte %d", name, i))
			if found.File != name || found.Offset > int64(i) {
				t.Fatalf("%s byte %d: named %v", name, i, found)
			}
		}
	}
}

func TestRemovedSwappedAndRepeatedFramesAreFound(t *testing.T) {
	c, files := smallLog(t)
	whole := cutFrames(t, files[firstSegment])
	for i, f := range whole {
		decoded, err := decodeFrame(f)
		if err != nil {
			t.Fatal(err)
		}
		cases := map[string][][]byte{
			"removed":  slices.Delete(slices.Clone(whole), i, i+1),
			"repeated": slices.Insert(slices.Clone(whole), i, f),
			"appended": append(slices.Clone(whole), f),
		}
		if i > 0 {
			swapped := slices.Clone(whole)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			cases["swapped"] = swapped
		}
		for what, frames := range cases {
			changed := maps.Clone(files)
			changed[firstSegment] = bytes.Join(frames, nil)
			writeDir(t, c.Dir, changed)
			found := assertTampered(t, c, fmt.Sprintf("frame %d %s", i, what))
			if what == "removed" && decoded.kind == recordFrame && found.Seq != decoded.seq {
				t.Errorf("record %d removed: named record %d", decoded.seq, found.Seq)
			}
		}
	}
}

// A forger without the key can mend every hash but no signature.
func TestRewrittenChainIsFoundByItsSignature(t *testing.T) {
	c, files := smallLog(t)
	var forged []byte
	var prev hash
	for _, raw := range cutFrames(t, files[firstSegment]) {
		f, err := decodeFrame(raw)
		if err != nil {
			t.Fatal(err)
		}
		f.prev = prev
		f.payload = bytes.Replace(f.payload, []byte("body 1"), []byte("BODY 1"), 1)
		forged, prev = appendFrame(forged, f)
	}
	files[firstSegment] = forged
	writeDir(t, c.Dir, files)
	if found := assertTampered(t, c, "rewritten"); found.Seq != 2 {
		t.Errorf("named %v, want the checkpoint after record 1", found)
	}
}

func TestCutTailIsFound(t *testing.T) {
	c, files := smallLog(t)
	for n := range len(files[firstSegment]) {
		changed := maps.Clone(files)
		changed[firstSegment] = files[firstSegment][:n]
		writeDir(t, c.Dir, changed)
		assertTampered(t, c, fmt.Sprintf("cut to %d bytes", n))
	}
}

func TestHeadRemovedOrRolledBackIsFound(t *testing.T) {
	c, files := smallLog(t)
	gone := maps.Clone(files)
	delete(gone, headFile)
	writeDir(t, c.Dir, gone)
	if found := assertTampered(t, c, "head removed"); found.File != headFile {
		t.Errorf("named %v", found)
	}
	writeDir(t, c.Dir, files)
	l := mustOpen(t, c)
	fill(t, l, 2, Synced)
	mustClose(t, l)
	rolled := readDir(t, c.Dir)
	rolled[headFile] = files[headFile]
	writeDir(t, c.Dir, rolled)
	if found := assertTampered(t, c, "head rolled back"); found.File != headFile {
		t.Errorf("named %v", found)
	}
}

func TestMissingSegmentIsFound(t *testing.T) {
	c := testConfig(t.TempDir())
	c.SegmentBytes = 2000
	l := mustOpen(t, c)
	fill(t, l, 60, Synced)
	mustClose(t, l)
	files := readDir(t, c.Dir)
	for name := range files {
		if name == headFile {
			continue
		}
		changed := maps.Clone(files)
		delete(changed, name)
		writeDir(t, c.Dir, changed)
		assertTampered(t, c, name+" removed")
	}
	writeDir(t, c.Dir, map[string][]byte{headFile: files[headFile]})
	assertTampered(t, c, "all segments removed")
}

// unsignedTail gives a log with a record behind the last checkpoint, as kill -9 leaves.
func unsignedTail(t *testing.T) (Config, map[string][]byte, int) {
	t.Helper()
	c, files := smallLog(t)
	signed := len(files[firstSegment])
	whole := cutFrames(t, files[firstSegment])
	last, err := decodeFrame(whole[len(whole)-1])
	if err != nil {
		t.Fatal(err)
	}
	files[firstSegment], _ = appendFrame(files[firstSegment], frame{
		kind: recordFrame, seq: 4, prev: last.hash, payload: appendEntry(nil, entry(4)),
	})
	return c, files, signed
}

func TestOnlyAnIncompleteLastFrameIsATornTail(t *testing.T) {
	c, files, signed := unsignedTail(t)
	full := files[firstSegment]
	for n := signed + 1; n <= len(full); n++ {
		files[firstSegment] = full[:n]
		writeDir(t, c.Dir, files)
		l := mustOpen(t, c)
		want, size := Recovery{TornFile: firstSegment, TornOffset: int64(signed), TornBytes: int64(n - signed)}, uint64(4)
		if n == len(full) {
			want, size = Recovery{Unsigned: 1}, 5
		}
		if l.Recovered() != want || l.Size() != size || l.Checkpoint().Size != size {
			t.Fatalf("%d bytes: %+v, size %d", n, l.Recovered(), l.Size())
		}
		fill(t, l, 1, Synced)
		mustClose(t, l)
		if r, err := Verify(c.Dir, public(c.Key)); err != nil || len(r.Problems) > 0 {
			t.Fatalf("%d bytes: after recovery %+v, %v", n, r, err)
		}
	}
	files[firstSegment] = append(slices.Clone(full[:signed]), make([]byte, 5000)...)
	writeDir(t, c.Dir, files)
	if l := mustOpen(t, c); l.Recovered().TornBytes != 5000 {
		t.Errorf("zeros: %+v", l.Recovered())
	}
}

func TestADamagedWholeFrameAfterTheLastCheckpointIsTampering(t *testing.T) {
	c, files, signed := unsignedTail(t)
	full := bytes.Clone(files[firstSegment])
	for i := signed + 4; i < len(full); i++ { // the first four bytes are the length
		files[firstSegment] = bytes.Clone(full)
		files[firstSegment][i] ^= 1
		writeDir(t, c.Dir, files)
		assertTampered(t, c, fmt.Sprintf("byte %d", i))
	}
}

func TestVerifyGoesOnAfterAProblem(t *testing.T) {
	c, files := smallLog(t)
	for _, word := range []string{"body 0", "body 3"} {
		at := bytes.Index(files[firstSegment], []byte(word))
		files[firstSegment][at] ^= 1
	}
	writeDir(t, c.Dir, files)
	r, err := Verify(c.Dir, public(c.Key))
	if err != nil || r.Records != 4 || len(r.Problems) != 2 || r.Problems[0].Seq != 0 || r.Problems[1].Seq != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestHostileDirectoryGivesABoundedReport(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 * maxProblems {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("x%d.seg", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Verify(dir, public(testKey(1))); err != nil || len(r.Problems) != maxProblems {
		t.Fatalf("%d problems, %v", len(r.Problems), err)
	}
}

func FuzzFrame(f *testing.F) {
	valid, _ := appendFrame(nil, frame{kind: recordFrame, seq: 7, payload: appendEntry(nil, entry(1))})
	f.Add(valid)
	f.Add(valid[:20])
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<31))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFrame(b)
		if err != nil {
			return
		}
		again, sum := appendFrame(nil, got)
		if sum != got.hash || !bytes.Equal(again, b[:got.size()]) {
			t.Fatal("a frame has two encodings")
		}
		if e, err := parseEntry(got.payload); err == nil && !bytes.Equal(appendEntry(nil, e), got.payload) {
			t.Fatal("an entry has two encodings")
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	s, err := newSigner("o", testKey(1))
	if err != nil {
		f.Fatal(err)
	}
	c, err := s.sign(Checkpoint{Size: 3, at: place{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.text())
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parseCheckpoint(text); err == nil && c.text() != text {
			t.Fatal("a checkpoint has two texts")
		}
	})
}
