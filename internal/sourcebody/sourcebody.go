// Package sourcebody has the bodies of uploads that read objects.
package sourcebody

import "io"

// A Body is a body that reads objects. It keeps their error: to Copy that is an error of the source,
// not of a body.
type Body interface {
	io.Reader
	SourceFailure() error
}

// One returns a body that reads one object.
func One(from io.Reader) Body { return &one{from: from} }

type one struct {
	from   io.Reader
	failed error
}

func (b *one) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.failed = err
	}
	return n, err
}

func (b *one) SourceFailure() error { return b.failed }

// A Joined reads one object after the other, and opens each when its turn comes. Close may be called
// more than once.
type Joined struct {
	// Open opens object i. After the last one, it returns io.EOF.
	Open func(i int) (io.ReadCloser, error)

	next    int
	current io.ReadCloser
	failed  error
}

func (b *Joined) Read(p []byte) (int, error) {
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
func (b *Joined) SourceFailure() error { return b.failed }

// Close closes the object that is open.
func (b *Joined) Close() {
	if b.current != nil {
		_ = b.current.Close()
		b.current = nil
	}
}
