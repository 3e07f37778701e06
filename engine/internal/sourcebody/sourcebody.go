// Package sourcebody has the bodies of uploads that read objects.
package sourcebody

import (
	"bytes"
	"io"
)

// A Body reads one object after the other, and opens each when its turn comes. It keeps the error of an
// object: to Copy that is an error of the source, not of a body. Close may be called more than once.
type Body struct {
	// Open opens object i. After the last one, it returns io.EOF.
	Open func(i int) (io.ReadCloser, error)

	next    int
	current io.ReadCloser
	failed  error
}

// One returns a Body that reads one object, and then tail.
func One(object io.ReadCloser, tail []byte) *Body {
	return &Body{current: object, Open: func(i int) (io.ReadCloser, error) {
		if i > 0 {
			return nil, io.EOF
		}
		return io.NopCloser(bytes.NewReader(tail)), nil
	}}
}

func (b *Body) Read(p []byte) (int, error) {
	for {
		if b.current == nil {
			source, err := b.Open(b.next)
			if err == io.EOF {
				return 0, io.EOF
			}
			if err != nil {
				b.failed = err
				return 0, err
			}
			b.current = source
			b.next++
		}
		n, err := b.current.Read(p)
		if err == io.EOF {
			b.Close()
			if n == 0 {
				continue
			}
			err = nil
		}
		if err != nil {
			b.failed = err
		}
		return n, err
	}
}

// SourceFailure returns the error of an object.
func (b *Body) SourceFailure() error { return b.failed }

// Close closes the object that is open.
func (b *Body) Close() {
	if b.current != nil {
		_ = b.current.Close()
		b.current = nil
	}
}
