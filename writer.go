package storage

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/omnibucket/storage/internal/panics"
)

// NewWriter is Upload for code that writes. Commit stores the object; Close
// without it discards, so that "defer w.Close()" is always right. ctx governs
// the writer until then.
func NewWriter(ctx context.Context, b Uploader, key string, opts ...UploadOption) *Writer {
	w := &Writer{done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.upload = func(body io.Reader) (*Attrs, error) { return b.Upload(w.ctx, key, body, opts...) }
	return w
}

// A Writer is an upload that is written to. Its methods are for one goroutine
// at a time. From the first Write until Commit or Close it holds one goroutine.
type Writer struct {
	ctx    context.Context
	cancel context.CancelFunc
	upload func(body io.Reader) (*Attrs, error)

	begin sync.Once
	pipe  *io.PipeWriter
	unset func() bool   // takes back what ctx would do to the pipe
	done  chan struct{} // closed when upload has returned
	attrs *Attrs
	err   error
	ended bool // by Commit or Close

	caught panics.Caught // of the upload
	failed error         // what a Write or ReadFrom returned: the object is not whole
}

var errDiscarded = errors.New("the writer was closed without Commit")

// start runs the upload at the other end of a pipe.
func (w *Writer) start() {
	w.begin.Do(func() {
		body, pipe := io.Pipe()
		w.pipe = pipe
		w.unset = context.AfterFunc(w.ctx, func() { _ = pipe.CloseWithError(w.ctx.Err()) })
		go func() {
			defer close(w.done)
			w.caught.Do(func() { w.attrs, w.err = w.upload(body) }, func() { w.err = errPanicked("Upload") })
			err := w.err
			if err == nil {
				err = io.ErrClosedPipe
			}
			_ = body.CloseWithError(err)
		}()
	})
}

// Write adds to the object. It fails with what the upload failed with; after that
// the writer cannot be committed.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, &Error{Code: InvalidArgument, Op: "Write", Err: errors.New("the writer is closed")}
	}
	if len(p) == 0 {
		return 0, nil // the pipe would hand it on, as a Read that makes no progress
	}
	w.start()
	n, err := w.pipe.Write(p)
	if err != nil {
		err = w.reason(err)
		w.fail(err)
	}
	return n, err
}

// ReadFrom adds all of r. It returns an error of r's as it is; after that the
// writer cannot be committed, because part of r is missing.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.ended {
		return 0, &Error{Code: InvalidArgument, Op: "ReadFrom", Err: errors.New("the writer is closed")}
	}
	w.start()
	n, err := copyChunks(onlyWriter{w}, r)
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// fail ends the upload with an error.
func (w *Writer) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
	_ = w.pipe.CloseWithError(err)
}

type onlyWriter struct{ w *Writer }

func (o onlyWriter) Write(p []byte) (int, error) { return o.w.Write(p) }

// reason is why the pipe is closed: the upload's own error.
func (w *Writer) reason(err error) error {
	<-w.done
	w.caught.Raise()
	if w.err != nil {
		return w.err
	}
	return err
}

// Commit stores the object, as Upload does. If a Write or ReadFrom failed, it
// stores nothing and returns why: BodyFailed, if a reader failed. A second call
// returns what the first did; after Close it is InvalidArgument.
func (w *Writer) Commit() (*Attrs, error) {
	if !w.ended {
		w.start()
		w.end(nil)
		if w.err == nil && w.failed != nil { // an Uploader of the user's own took part of a body for a whole one
			e := bodyFailed(w.failed)
			e.Op = "Commit"
			w.attrs, w.err = nil, e
		}
	}
	return w.attrs, w.err
}

// Close discards what was written unless it was committed. It is nil, always.
func (w *Writer) Close() error {
	if w.ended {
		return nil
	}
	began := true
	w.begin.Do(func() { began = false })
	if began {
		w.end(errDiscarded)
	}
	w.ended = true
	w.cancel()
	w.attrs = nil
	w.err = &Error{Code: InvalidArgument, Op: "Commit", Err: errDiscarded}
	return nil
}

// end gives the upload its end, io.EOF or an error, and waits for it.
func (w *Writer) end(err error) {
	w.ended = true
	_ = w.pipe.CloseWithError(err) // nil is io.EOF
	<-w.done
	w.unset()
	w.cancel()
	w.caught.Raise()
}
