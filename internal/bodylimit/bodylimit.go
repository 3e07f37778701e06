// Package bodylimit bounds how long a body may be that is read into a store.
package bodylimit

import (
	"bytes"
	"io"
	"strings"
)

// A Reader reads Body, and fails with TooLarge if that has more than Left bytes. It reads one byte
// more than is allowed, to know whether there is one.
type Reader struct {
	Body     io.Reader
	Left     int64 // bytes that are still allowed
	TooLarge error
	Failed   error // error of Body, unless that is io.EOF
	// More returns how many more bytes are allowed. It is called once, when Left is used up;
	// nil means that no more are.
	More func() (int64, error)
}

// New returns a reader of body that fails with tooLarge after limit bytes. If Length knows that body
// is short enough, New returns body.
func New(body io.Reader, limit int64, tooLarge error) io.Reader {
	if left, known := Length(body); known && left <= limit {
		return body
	}
	return &Reader{Body: body, Left: limit, TooLarge: tooLarge}
}

// Ask calls More, unless it was called already.
func (r *Reader) Ask() error {
	if r.More == nil {
		return nil
	}
	more, err := r.More()
	if err != nil {
		return err
	}
	r.Left, r.More = r.Left+more, nil
	return nil
}

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	left := max(0, r.Left)
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := r.Body.Read(p)
	if err != nil && err != io.EOF {
		r.Failed = err
	}
	if r.Left -= int64(n); r.Left < 0 {
		if err := r.Ask(); err != nil {
			return 0, err
		}
	}
	if r.Left < 0 {
		return 0, r.TooLarge
	}
	return n, err
}

// Length returns the length of a body in memory, or of a section of a file. It does not look into a type
// that wraps such a body, which may read something else.
func Length(body io.Reader) (left int64, known bool) {
	switch b := body.(type) {
	case *bytes.Reader:
		return int64(b.Len()), true
	case *strings.Reader:
		return int64(b.Len()), true
	case *bytes.Buffer:
		return int64(b.Len()), true
	case *io.SectionReader:
		at, err := b.Seek(0, io.SeekCurrent)
		return b.Size() - at, err == nil
	}
	return 0, false
}
