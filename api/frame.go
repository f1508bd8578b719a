package api

import (
	"encoding/binary"
	"fmt"
	"io"
)

// FrameHeader is the length of a frame's header in bytes.
const FrameHeader = 4

const (
	// MaxHandshakeFrame bounds a frame of the handshake in bytes.
	MaxHandshakeFrame = 4096
	// MaxFrame bounds every other frame, both ways: a payload of 1 MiB whose
	// every second byte is escaped still fits.
	MaxFrame = 2 << 20
	// MaxPayload bounds the payload of a client's message in bytes.
	MaxPayload = 1 << 20
)

// FrameSizeError says that a frame is larger than its reader or writer allows.
type FrameSizeError struct{ Size, Max int }

// Error names both sizes.
func (e *FrameSizeError) Error() string {
	return fmt.Sprintf("frame of %d bytes, at most %d are allowed", e.Size, e.Max)
}

// ReadFrame reads one frame of at most max bytes. The error is io.EOF only
// before the first byte, io.ErrUnexpectedEOF after it, and a *FrameSizeError,
// before anything is allocated, when the header promises too much. An empty frame is an empty body.
func ReadFrame(r io.Reader, max int) ([]byte, error) {
	var header [FrameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if uint64(size) > uint64(max) {
		return nil, &FrameSizeError{Size: int(size), Max: max}
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return body, nil
}

// AppendFrame appends a frame with the body to dst.
func AppendFrame(dst, body []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...)
}

// WriteFrame writes one frame in one call of Write. A body of more than max
// bytes is a *FrameSizeError and nothing is written.
func WriteFrame(w io.Writer, body []byte, max int) error {
	if len(body) > max {
		return &FrameSizeError{Size: len(body), Max: max}
	}
	_, err := w.Write(AppendFrame(make([]byte, 0, FrameHeader+len(body)), body))
	return err
}
