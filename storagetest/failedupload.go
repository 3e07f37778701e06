package storagetest

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A failedUpload is one way in which an upload of size bytes fails.
type failedUpload struct {
	ctx   context.Context
	body  func() io.Reader
	opts  []storage.UploadOption
	needs storage.Features
	code  storage.Code
}

func failedUploads(t *T, size int64) map[string]failedUpload {
	text := body(size, 2)
	whole := func() io.Reader { return strings.NewReader(text) }
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	return map[string]failedUpload{
		"a source that fails midway": {
			body: func() io.Reader { return failing(text[:size/2], errBoom) }, code: storage.BodyFailed,
		},
		"a source that fails at its end": {
			body: func() io.Reader { return failing(text, errBoom) }, code: storage.BodyFailed,
		},
		"a source that fails at once": {
			body: func() io.Reader { return failing("", errBoom) }, code: storage.BodyFailed,
		},
		"a source that ends unexpectedly": {
			body: func() io.Reader { return failing(text[:size/2], io.ErrUnexpectedEOF) }, code: storage.BodyFailed,
		},
		"a body shorter than declared": {
			body: func() io.Reader { return stream(text) }, opts: []storage.UploadOption{storage.WithSize(size + 1)}, code: storage.BodyFailed,
		},
		"a body longer than declared": {
			body: func() io.Reader { return stream(text) }, opts: []storage.UploadOption{storage.WithSize(size - 1)}, code: storage.BodyFailed,
		},
		"a reader in place shorter than declared": {
			body: whole, opts: []storage.UploadOption{storage.WithSize(size + 1)}, code: storage.BodyFailed,
		},
		"a reader in place longer than declared": {
			body: whole, opts: []storage.UploadOption{storage.WithSize(size - 1)}, code: storage.BodyFailed,
		},
		"a wrong checksum": {
			body: whole, opts: []storage.UploadOption{storage.WithCRC32C(sum([]byte(text)) + 1)}, code: storage.ChecksumMismatch,
		},
		"a wrong checksum of a stream": {
			body: func() io.Reader { return stream(text) }, opts: []storage.UploadOption{storage.WithCRC32C(sum([]byte(text)) + 1)}, code: storage.ChecksumMismatch,
		},
		"a condition that fails": {
			body: whole, opts: []storage.UploadOption{storage.IfAbsent()}, needs: storage.ConditionalCreate, code: storage.PreconditionFailed,
		},
		"a condition that fails for a stream": {
			body: func() io.Reader { return stream(text) }, opts: []storage.UploadOption{storage.IfAbsent()}, needs: storage.ConditionalCreate, code: storage.PreconditionFailed,
		},
		"a cancelled ctx": {ctx: canceled(t), body: whole, code: storage.Canceled},
		"an expired deadline": {
			ctx: past, body: whole, code: storage.DeadlineExceeded,
		},
	}
}
