package caddy

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/omnibucket/storage"
)

// A watch ends the requests of an open file if one of them takes too long.
type watch struct {
	ctx     context.Context
	cancel  context.CancelFunc
	timeout time.Duration
	expired atomic.Bool
}

// newWatch returns the watch of one open file. Its context is for all requests of the file.
func (f *FileSystem) newWatch() *watch {
	w := &watch{timeout: f.timeout()}
	w.ctx, w.cancel = context.WithCancel(f.ctx)
	return w
}

// startTimer cancels the context of w after the timeout. The caller must stop the timer when its request has returned.
func (w *watch) startTimer() *time.Timer {
	return time.AfterFunc(w.timeout, func() {
		w.expired.Store(true)
		w.cancel()
	})
}

// failure converts the error of an operation to one for Caddy's file_server. A failure of the store
// has an HTTP status, because file_server would answer a *fs.PathError with 400.
func (w *watch) failure(op, name string, err error) error {
	status := http.StatusInternalServerError
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound, storage.PermissionDenied, storage.InvalidArgument:
		return &fs.PathError{Op: op, Path: name, Err: err}
	case storage.Unavailable, storage.RateLimited, storage.Canceled:
		status = http.StatusServiceUnavailable
	}
	// The watch has canceled a request that took too long.
	if w.expired.Load() {
		status = http.StatusGatewayTimeout
	}

	// The error does not wrap err: a missing bucket matches fs.ErrNotExist, and Caddy would respond
	// as for a missing file.
	return storeError{caddyhttp.HandlerError{StatusCode: status, Err: errors.New(err.Error())}}
}

// A storeError is a failure of the store. It matches fs.ErrPermission, because file_server returns
// the status of such an error at once. After another error, it would look up each parent of the
// file in the store that fails.
type storeError struct {
	caddyhttp.HandlerError
}

func (e storeError) Is(target error) bool { return target == fs.ErrPermission }

func (e storeError) Unwrap() error { return e.HandlerError }
