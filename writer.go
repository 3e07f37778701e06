package storage

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage/internal/chunks"
	"github.com/omnibucket/storage/internal/panics"
)

// NewWriter is Upload for code that writes. Commit stores the object. Close without Commit
// discards it and returns an error: code that expects Close to commit, as in gocloud, must not
// lose objects silently. "defer w.Close()" is always right. ctx governs the writer until Commit
// or Close.
func NewWriter(ctx context.Context, b Uploader, key string, opts ...UploadOption) *Writer {
	w := &Writer{locate: func(op string, e Error) error { return located(b, op, key, &e) }}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.upload = func(body io.Reader) (*Attrs, error) { return b.Upload(w.ctx, key, body, opts...) }
	return w
}

// A Writer is an upload that is written to, by one goroutine at a time. It runs a goroutine
// from the first Write until Commit or Close, which ends it.
type Writer struct {
	ctx    context.Context
	cancel context.CancelFunc
	upload func(body io.Reader) (*Attrs, error)
	locate func(op string, e Error) error // says which object e is about

	pipe  *io.PipeWriter // nil before the first Write
	unset func() bool    // stops ctx from closing the pipe
	group panics.Group   // runs upload
	attrs *Attrs
	err   error // what Commit returns
	ended bool  // whether Commit or Close was called
	lost  error // what Close returns if bytes were written and not committed

	failed error // what a Write or ReadFrom returned: the object is not whole
}

var errDiscarded = errors.New("the writer was closed without Commit: nothing was stored")

// start runs the upload, which reads from a pipe.
func (w *Writer) start() {
	if w.pipe != nil {
		return
	}
	body, pipe := io.Pipe()
	w.pipe = pipe
	w.unset = context.AfterFunc(w.ctx, func() { _ = pipe.CloseWithError(w.ctx.Err()) })
	w.group.Go(func() {
		defer func() { _ = body.CloseWithError(cmp.Or(w.err, io.ErrClosedPipe)) }()
		w.err = &Error{Code: Internal, Op: "Upload", Err: panics.ErrPanicked} // unless upload returns
		w.attrs, w.err = w.upload(body)
	}, nil)
}

// Write adds to the object. If the upload fails, so do Write and Commit.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.locate("Write", Error{Code: InvalidArgument, Err: errors.New("the writer is closed")})
	}
	if len(p) == 0 {
		return 0, nil // through the pipe it would be a Read that makes no progress
	}
	w.start()
	n, err := w.pipe.Write(p)
	if err != nil {
		err = w.reason(err)
		w.fail(err)
	}
	return n, err
}

// ReadFrom adds all of r. If r fails, ReadFrom and Commit do.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.ended {
		return 0, w.locate("ReadFrom", Error{Code: InvalidArgument, Err: errors.New("the writer is closed")})
	}
	w.start()
	n, err := chunks.Copy(w, r)
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

// reason returns why the pipe is closed: the upload's own error, if there is one.
func (w *Writer) reason(err error) error {
	w.group.Wait()
	return cmp.Or(w.err, err)
}

// Commit stores the object, as Upload does. A second call returns the same.
func (w *Writer) Commit() (*Attrs, error) {
	if !w.ended {
		w.start()
		w.end(nil)
		if w.err == nil && w.failed != nil { // a foreign Uploader took part of a body for the whole
			w.attrs, w.err = nil, w.locate("Commit", *bodyFailed(w.failed))
		}
	}
	return w.attrs, w.err
}

// Close ends the writer. If it discards bytes, because Commit was not called, it fails with
// InvalidArgument, and so does a later Commit. Close can be called again.
func (w *Writer) Close() error {
	if w.ended {
		return w.lost
	}
	closed := Error{Code: InvalidArgument, Err: errDiscarded, Hint: "call Commit before Close"}
	if w.pipe != nil {
		w.end(errDiscarded)
		w.lost = w.locate("Close", closed)
	}
	w.ended = true
	w.cancel()
	w.attrs, w.err = nil, w.locate("Commit", closed)
	return w.lost
}

// end ends the upload's body, with io.EOF or an error, and waits for the upload.
func (w *Writer) end(err error) {
	w.ended = true
	_ = w.pipe.CloseWithError(err) // nil is io.EOF
	w.group.Join()
	w.unset()
	w.cancel()
	w.group.Raise()
}
