package storage

import (
	"context"
	"errors"
	"io"
	"sync"
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
			w.attrs, w.err = w.upload(body)
			err := w.err
			if err == nil {
				err = io.ErrClosedPipe
			}
			_ = body.CloseWithError(err)
		}()
	})
}

// Write adds to the object. It fails with what the upload failed with.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, &Error{Code: InvalidArgument, Op: "Write", Err: errors.New("the writer is closed")}
	}
	if len(p) == 0 {
		return 0, nil // the pipe would hand it on, as a Read that makes no progress
	}
	w.start()
	n, err := w.pipe.Write(p)
	return n, w.reason(err)
}

// ReadFrom adds all of r. An error of r's is returned as it is, and leaves the
// writer as it was: what was read of r is part of the object if it is committed
// all the same.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.ended {
		return 0, &Error{Code: InvalidArgument, Op: "ReadFrom", Err: errors.New("the writer is closed")}
	}
	w.start()
	return copyChunks(onlyWriter{w}, r)
}

type onlyWriter struct{ w *Writer }

func (o onlyWriter) Write(p []byte) (int, error) { return o.w.Write(p) }

// reason is why the pipe is closed: the upload's own error.
func (w *Writer) reason(err error) error {
	if err == nil {
		return nil
	}
	<-w.done
	if w.err != nil {
		return w.err
	}
	return err
}

// Commit stores the object, as Upload does. A second call answers as the first;
// after Close it is InvalidArgument.
func (w *Writer) Commit() (*Attrs, error) {
	if !w.ended {
		w.start()
		w.end(nil)
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
}
