package storage

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/running"
)

// NewWriter is Upload for code that writes its content. Commit stores the object. Close without
// Commit stores nothing and returns an error, so that code that expects Close to store the object,
// as in gocloud, does not lose it silently. After Commit, Close does nothing, so "defer w.Close()"
// is always right. ctx governs the writer until Commit or Close.
func NewWriter(ctx context.Context, b Uploader, key string, opts ...UploadOption) *Writer {
	w := &Writer{b: b, key: key, opts: opts}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w
}

// A Writer uploads the content that the caller writes to it. Only one goroutine at a time may use it.
// From the first Write until Commit or Close, a goroutine of the Writer sends the content.
type Writer struct {
	ctx    context.Context // ends the upload, because the methods of package io take none
	cancel context.CancelFunc
	b      Uploader
	key    string
	opts   []UploadOption

	pipe *io.PipeWriter // nil before the first Write
	// stopWatching makes the Writer ignore the end of ctx, which otherwise closes the pipe.
	stopWatching func() bool
	group        running.Group // runs the goroutine of the upload
	attrs        *Attrs
	err          error // error that Commit returns
	ended        bool  // true after Commit or Close
	closeErr     error // error of Close if written bytes were not committed

	bodyErr error // first error of a Write or ReadFrom; after it, the content is incomplete
}

var errDiscarded = errors.New("the writer was closed without Commit: nothing was stored")

// start starts the upload, unless it is running already. The upload reads what Write writes,
// through a pipe. If one side ends early, it closes the pipe with its error for the other.
func (w *Writer) start() {
	if w.pipe != nil {
		return
	}
	body, pipe := io.Pipe()
	w.pipe = pipe
	// If ctx ends, reading the body fails.
	w.stopWatching = context.AfterFunc(w.ctx, func() {
		_ = pipe.CloseWithError(w.ctx.Err())
	})

	w.group.Go(func() { w.upload(body) }, nil)
}

// upload uploads the body, and sets the result of Commit.
func (w *Writer) upload(body *io.PipeReader) {
	// Once the upload has ended, a Write that waits must fail.
	defer func() { _ = body.CloseWithError(cmp.Or(w.err, io.ErrClosedPipe)) }()
	// The error keeps this value if Upload panics. The method end repeats the panic.
	w.err = &Error{Code: Internal, Op: "Upload", Err: running.ErrPanicked}
	w.attrs, w.err = orFailing(w.b).Upload(w.ctx, w.key, body, w.opts...)
}

// locate adds the operation, the key and the bucket to err.
func (w *Writer) locate(op string, err Error) error { return locateError(w.b, op, w.key, &err) }

// Write adds p to the object. If the upload fails, so do Write and Commit.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.locate("Write", Error{Code: InvalidArgument, Err: errors.New("the writer is closed")})
	}
	if len(p) == 0 {
		// An empty write to the pipe would become a Read of 0 bytes for the upload.
		return 0, nil
	}

	w.start()
	n, err := w.pipe.Write(p)
	if err != nil {
		// The upload has failed, or ctx is done.
		err = w.cause(err)
		w.fail(err)
	}
	return n, err
}

// ReadFrom adds all bytes of r to the object. If r fails, so do ReadFrom and Commit.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.ended {
		return 0, w.locate("ReadFrom", Error{Code: InvalidArgument, Err: errors.New("the writer is closed")})
	}
	w.start()
	n, err := bodyio.Copy(w, r) // calls Write
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// fail makes the upload fail, because reading its body returns err. The first error is kept for
// Commit.
func (w *Writer) fail(err error) {
	if w.bodyErr == nil {
		w.bodyErr = err
	}
	_ = w.pipe.CloseWithError(err)
}

// cause returns the cause of a failed write to the pipe. If the upload has failed, its error has
// closed the pipe and is the cause. Otherwise the cause is err.
func (w *Writer) cause(err error) error {
	w.group.Wait()
	return cmp.Or(w.err, err)
}

// Commit stores the object, as Upload does. A second call returns the same result.
func (w *Writer) Commit() (*Attrs, error) {
	if w.ended {
		return w.attrs, w.err
	}

	w.start()
	w.end(nil) // the body ends with io.EOF
	if w.err == nil && w.bodyErr != nil {
		// An Uploader of another module has ignored the error of its body.
		w.attrs = nil
		w.err = w.locate("Commit", *bodyFailed(w.bodyErr))
	}
	return w.attrs, w.err
}

// Close ends the writer. If bytes were written but not committed, Close discards them and fails
// with InvalidArgument. A later Commit fails with InvalidArgument, too. Close may be called more
// than once.
func (w *Writer) Close() error {
	if w.ended {
		return w.closeErr
	}
	notCommitted := Error{Code: InvalidArgument, Err: errDiscarded, Hint: "call Commit before Close"}
	hasWritten := w.pipe != nil
	if hasWritten {
		// The error ends the upload, so that it stores nothing.
		w.end(errDiscarded)
		w.closeErr = w.locate("Close", notCommitted)
	}
	w.ended = true
	w.cancel()

	// A later Commit returns these.
	w.attrs = nil
	w.err = w.locate("Commit", notCommitted)
	return w.closeErr
}

// end ends the body of the upload with err, or with io.EOF if err is nil, and waits for the upload.
// If the upload has panicked, end panics, too.
func (w *Writer) end(err error) {
	w.ended = true
	_ = w.pipe.CloseWithError(err)
	w.group.Join()

	// Release everything before the panic of an upload is repeated.
	w.stopWatching()
	w.cancel()
	w.group.Raise()
}
