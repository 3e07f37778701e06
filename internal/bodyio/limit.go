package bodyio

import (
	"bytes"
	"io"
	"strings"
)

// A LimitedReader reads Body, and fails with TooLarge if Body has more than Left bytes. To notice a body
// that is too long, it reads up to one byte more than it permits.
type LimitedReader struct {
	Body     io.Reader
	Left     int64 // number of bytes that Body may still have
	TooLarge error
	Failed   error // error that Body returned, other than io.EOF
	// More returns how many more bytes are permitted. It is called once, when Body has more than
	// Left bytes. If More is nil, no more bytes are permitted.
	More func() (int64, error)
}

// LimitReader returns a reader of body that fails with tooLarge if body is longer than limit, or
// body itself if [Length] shows that it is short enough.
func LimitReader(body io.Reader, limit int64, tooLarge error) io.Reader {
	if remaining, ok := Length(body); ok && remaining <= limit {
		return body
	}
	return &LimitedReader{Body: body, Left: limit, TooLarge: tooLarge}
}

// RaiseLimit calls More, unless it is nil, and adds the bytes that More permits to Left. After a success,
// it does not call More again.
func (r *LimitedReader) RaiseLimit() error {
	if r.More == nil {
		return nil
	}
	extra, err := r.More()
	if err != nil {
		return err
	}
	r.Left += extra
	r.More = nil
	return nil
}

// Read implements [io.Reader]. If the body has more than Left bytes, Read calls More for a higher limit.
// It fails with TooLarge if the body is longer than that limit, too. Left is negative if Read has read more
// bytes than are permitted.
func (r *LimitedReader) Read(p []byte) (int, error) {
	// Read one byte more than is permitted, which shows that the body is too long. The sum permitted+1
	// could overflow, unlike len(p)-1.
	permitted := max(0, r.Left)
	if int64(len(p))-1 > permitted {
		p = p[:permitted+1]
	}
	n, err := r.Body.Read(p)
	if err != nil && err != io.EOF {
		r.Failed = err
	}
	r.Left -= int64(n)
	if r.Left >= 0 {
		return n, err
	}

	// The body has too many bytes, unless the limit is raised enough.
	if limitErr := r.RaiseLimit(); limitErr != nil {
		return 0, limitErr
	}
	if r.Left < 0 {
		return 0, r.TooLarge
	}
	return n, err
}

// Length returns the number of bytes left in body, if it is a bytes.Reader, strings.Reader,
// bytes.Buffer or io.SectionReader. For any other type, even one that wraps such a reader, known is
// false, because it may deliver other bytes.
func Length(body io.Reader) (left int64, known bool) {
	switch b := body.(type) {
	case *bytes.Reader:
		return int64(b.Len()), true
	case *strings.Reader:
		return int64(b.Len()), true
	case *bytes.Buffer:
		return int64(b.Len()), true
	case *io.SectionReader:
		offset, err := b.Seek(0, io.SeekCurrent)
		return b.Size() - offset, err == nil
	}
	return 0, false
}
