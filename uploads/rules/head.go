package rules

import (
	"context"
	"io"
)

const (
	sniffBytes = 4 << 10 // bytes that detection uses
	// headBytes is how many bytes of a file are held at most. A file with more bytes before the
	// size of its picture (color profiles, previews) is refused as TooLarge.
	headBytes = 1 << 20
	// Looks is how many bytes of a file a Judge asks for at most. It is one byte more than a
	// Judge holds, so that a shorter range is not taken for the end of the file.
	Looks = headBytes + 1
	// maxEmptyReads is how often a reader may return nothing in a row.
	maxEmptyReads = 100
)

// A head is the beginning of a file, with as many bytes as were requested.
type head struct {
	ctx context.Context // context of the call; may be nil
	src io.Reader
	buf []byte
	err error // error of src; io.EOF means that buf is the whole file
}

// fill reads until buf has n bytes, at most headBytes, or src ends.
func (h *head) fill(n int) {
	n = min(n, headBytes)
	for empty := 0; len(h.buf) < n && h.err == nil && !h.canceled(); {
		h.grow(n)
		got, err := h.src.Read(h.buf[len(h.buf):cap(h.buf)])
		h.buf, h.err = h.buf[:len(h.buf)+got], err
		if got > 0 {
			empty = 0
		} else if empty++; empty == maxEmptyReads && err == nil {
			h.err = io.ErrNoProgress
		}
	}
}

// grow makes space for n bytes. It grows in steps, so that many small files cost
// little.
func (h *head) grow(n int) {
	if cap(h.buf) > len(h.buf) {
		return
	}
	size := max(2*cap(h.buf), n, sniffBytes)
	grown := make([]byte, len(h.buf), min(size, headBytes))
	copy(grown, h.buf)
	h.buf = grown
}

// canceled reports whether the call's context has ended, and if so, makes that the error of the
// source.
func (h *head) canceled() bool {
	if h.ctx == nil || h.ctx.Err() == nil {
		return false
	}
	h.err = h.ctx.Err()
	return true
}

func (h *head) whole() bool { return h.err == io.EOF }

// exhausted reports whether the head is full and the file is longer.
func (h *head) exhausted() bool { return len(h.buf) == headBytes && h.err == nil }

// missingReason says why there are no bytes after the head: the file is cut short, or
// they are too far from its beginning.
func (h *head) missingReason() *reason {
	if h.fill(headBytes); h.exhausted() {
		return headTooLong
	}
	return damaged
}

func (h *head) failure() error {
	if h.err == io.EOF {
		return nil
	}
	return h.err
}

func (h *head) first(n int) []byte {
	h.fill(n)
	return h.buf[:min(n, len(h.buf))]
}

// bytesAt returns n bytes at an offset, or false if the head ends before.
func (h *head) bytesAt(at, n int) ([]byte, bool) {
	if at < 0 || n < 0 || at > headBytes || n > headBytes-at {
		return nil, false
	}
	h.fill(at + n)
	if len(h.buf) < at+n {
		return nil, false
	}
	return h.buf[at : at+n], true
}

// ReadAt implements [io.ReaderAt]. The head ends as a file does.
func (h *head) ReadAt(p []byte, at int64) (int, error) {
	h.fill(int(at) + len(p))
	n := copy(p, h.buf[min(int(at), len(h.buf)):])
	switch {
	case n == len(p):
		return n, nil
	case h.failure() != nil:
		return n, h.err
	}
	return n, io.EOF
}

// reader returns a reader of the head, which reads more of the source if needed.
func (h *head) reader() io.Reader { return io.NewSectionReader(h, 0, headBytes) }
