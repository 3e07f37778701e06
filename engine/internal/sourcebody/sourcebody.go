// Package sourcebody reads objects as the body of an upload, for copies that pass through this
// process.
package sourcebody

import (
	"bytes"
	"io"
)

// A Body reads several objects in order, and opens each one when the one before has ended. It
// records the error of an object, so that Copy can report it as an error of the source. Close may
// be called more than once.
type Body struct {
	// Open opens object i, counted from 0. After the last object, it returns io.EOF.
	Open func(i int) (io.ReadCloser, error)

	next    int
	current io.ReadCloser
	failed  error
}

// One returns a Body that reads and closes the object, and then reads tail.
func One(object io.ReadCloser, tail []byte) *Body {
	// The object is open already, so the first one to open, number 0, is tail.
	openTail := func(i int) (io.ReadCloser, error) {
		if i > 0 {
			return nil, io.EOF
		}
		return io.NopCloser(bytes.NewReader(tail)), nil
	}
	return &Body{current: object, Open: openTail}
}

// Read reads the objects one after the other, and returns io.EOF after the last.
func (b *Body) Read(p []byte) (int, error) {
	for {
		if b.current == nil {
			if err := b.openNext(); err != nil {
				return 0, err
			}
		}
		n, err := b.current.Read(p)
		if err == io.EOF {
			// Only the end of the last object is the end of the body.
			b.Close()
			if n > 0 {
				return n, nil
			}
			continue
		}
		if err != nil {
			b.failed = err
		}
		return n, err
	}
}

// openNext opens the next object, or returns io.EOF if there is none.
func (b *Body) openNext() error {
	object, err := b.Open(b.next)
	if err != nil {
		if err != io.EOF {
			b.failed = err
		}
		return err
	}
	b.current = object
	b.next++
	return nil
}

// SourceFailure returns the error of the object that could not be opened or read, or nil.
func (b *Body) SourceFailure() error { return b.failed }

// Close closes the current object, if one is open.
func (b *Body) Close() {
	if b.current != nil {
		_ = b.current.Close()
		b.current = nil
	}
}
