package rules

import (
	"context"
	"io"
)

const (
	sniffBytes = 4 << 10 // number of bytes that detection uses
	// headBytes limits how many bytes from the beginning of a file are held in memory. The width
	// and height of a picture must be stored in these bytes. If color profiles or previews at the
	// beginning are too long, the file is refused as TooLarge.
	headBytes = 1 << 20
	// Looks is how many bytes of a file a Judge reads at most. It is one more than headBytes, so
	// that the Judge can tell a file of exactly headBytes from a longer one.
	Looks = headBytes + 1
	// maxEmptyReads is how often in a row a reader may return neither bytes nor an error.
	maxEmptyReads = 100
)

// A head holds the beginning of a file. It reads more of the file only when more bytes are needed.
type head struct {
	ctx context.Context // context of the call; may be nil
	src io.Reader
	buf []byte
	err error // error of src; io.EOF means that buf is the whole file
}

// fill reads from src until buf has n bytes, but no more than headBytes, or until src ends.
func (h *head) fill(n int) {
	n = min(n, headBytes)
	emptyReads := 0
	for len(h.buf) < n && h.err == nil && !h.canceled() {
		h.growBuffer(n)
		count, err := h.src.Read(h.buf[len(h.buf):cap(h.buf)])
		h.buf = h.buf[:len(h.buf)+count]
		h.err = err

		// A reader that returns no bytes again and again must not block forever.
		if count > 0 {
			emptyReads = 0
			continue
		}
		emptyReads++
		if emptyReads == maxEmptyReads && err == nil {
			h.err = io.ErrNoProgress
		}
	}
}

// growBuffer makes space for more of the first n bytes if buf is full. It grows buf in steps, so that
// small files need little memory.
func (h *head) growBuffer(n int) {
	isFull := len(h.buf) == cap(h.buf)
	if !isFull {
		return
	}

	// Double the buffer, but make it large enough for n bytes, and not larger than a head.
	size := max(n, 2*cap(h.buf), sniffBytes)
	size = min(size, headBytes)
	grown := make([]byte, len(h.buf), size)
	copy(grown, h.buf)
	h.buf = grown
}

// canceled reports whether the context has ended, whose error then becomes the error of the head.
func (h *head) canceled() bool {
	if h.ctx == nil || h.ctx.Err() == nil {
		return false
	}
	h.err = h.ctx.Err()
	return true
}

// isWhole reports whether buf is the whole file.
func (h *head) isWhole() bool { return h.err == io.EOF }

// exhausted reports whether the head is full and the file may be longer.
func (h *head) exhausted() bool { return len(h.buf) == headBytes && h.err == nil }

// missingReason returns the reason to refuse a file whose head lacks some bytes: either the file is cut
// short, or the bytes are too far from its beginning.
func (h *head) missingReason() *reason {
	h.fill(headBytes)
	if h.exhausted() {
		return headTooLong
	}
	return damaged
}

// failure returns the error that has ended the reading, unless that is the end of the file.
func (h *head) failure() error {
	if h.err == io.EOF {
		return nil
	}
	return h.err
}

// firstBytes returns the first n bytes of the file, or all of it if it is shorter.
func (h *head) firstBytes(n int) []byte {
	h.fill(n)
	return h.buf[:min(n, len(h.buf))]
}

// bytesAt returns n bytes at an offset, or false if the head does not have them all.
func (h *head) bytesAt(offset, n int) ([]byte, bool) {
	if offset < 0 || n < 0 || offset > headBytes || n > headBytes-offset {
		return nil, false
	}
	end := offset + n
	h.fill(end)
	if len(h.buf) < end {
		return nil, false
	}
	return h.buf[offset:end], true
}

// ReadAt implements [io.ReaderAt]. At the end of the head, it returns io.EOF or the error of the file.
func (h *head) ReadAt(p []byte, offset int64) (int, error) {
	h.fill(int(offset) + len(p))
	n := copy(p, h.buf[min(int(offset), len(h.buf)):])
	if n == len(p) {
		return n, nil
	}
	if h.failure() != nil {
		return n, h.err
	}
	return n, io.EOF
}

// reader returns a reader of the head. It reads more of the file if needed.
func (h *head) reader() io.Reader { return io.NewSectionReader(h, 0, headBytes) }
