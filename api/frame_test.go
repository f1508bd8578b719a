package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		rule, in, body string
		err            error
	}{
		{rule: "length, then body", in: "\x00\x00\x00\x02ab", body: "ab"},
		{rule: "an empty body", in: "\x00\x00\x00\x00"},
		{rule: "the limit itself", in: "\x00\x00\x00\x08abcdefgh", body: "abcdefgh"},
		{rule: "nothing at all", in: "", err: io.EOF},
		{rule: "half a header", in: "\x00\x00", err: io.ErrUnexpectedEOF},
		{rule: "a header alone", in: "\x00\x00\x00\x02", err: io.ErrUnexpectedEOF},
		{rule: "half a body", in: "\x00\x00\x00\x02a", err: io.ErrUnexpectedEOF},
	} {
		t.Run(c.rule, func(t *testing.T) {
			body, err := ReadFrame(strings.NewReader(c.in), 8)
			if string(body) != c.body || !errors.Is(err, c.err) {
				t.Fatalf("got %q, %v", body, err)
			}
		})
	}
}

func TestOversizeFramesAreNeitherReadNorWritten(t *testing.T) {
	in := strings.NewReader("\xff\xff\xff\xffabc")
	_, err := ReadFrame(in, 8)
	if wrong, ok := errors.AsType[*FrameSizeError](err); !ok || wrong.Max != 8 || in.Len() != 3 {
		t.Fatalf("got %v with %d bytes left", err, in.Len())
	}
	var out bytes.Buffer
	if err := WriteFrame(&out, make([]byte, 9), 8); err == nil || out.Len() > 0 {
		t.Fatalf("wrote %d bytes, %v", out.Len(), err)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02ab"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		body, err := ReadFrame(bytes.NewReader(in), 1<<10)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteFrame(&out, body, 1<<10); err != nil || !bytes.HasPrefix(in, out.Bytes()) {
			t.Fatalf("%q was written back as %q, %v", in, out.Bytes(), err)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte(`{"token":"ab","protocol_version":1,"client_version":"0.7.0"}`))
	f.Add([]byte(`{"token":"ab","token":"cd"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := DecodeHello(in)
		if err != nil && h != (Hello{}) {
			t.Fatalf("refused and yet %v", h)
		}
	})
}

func TestHelloHidesItsSecrets(t *testing.T) {
	h := Hello{Token: "5ec4e7", ClaimedPrincipal: "alice", ClientVersion: "1", Signature: "5ec4e7"}
	for _, shown := range []string{h.String(), fmt.Sprintf("%v %+v %#v %s", h, h, h, h), h.LogValue().String()} {
		if strings.Contains(shown, "5ec4e7") || !strings.Contains(shown, "alice") {
			t.Errorf("shows %q", shown)
		}
	}
}
