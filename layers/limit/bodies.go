package limit

import (
	"cmp"
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/serving"
)

// An objectDriver limits the rate at which bodies are sent and received.
type objectDriver struct {
	driver.Driver
	limiter *limiter
}

// Put limits the body of an upload. It replaces the body in r until it returns, because the engine may
// set other fields of r during the upload, so that a copy would lack them.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	body := r.Body
	defer func() {
		r.Body = body
	}()

	limited := &uploadBody{Reader: body, ctx: ctx, limiter: d.limiter}
	r.Body = limited
	if seeker, ok := body.(io.Seeker); ok {
		r.Body = withSeek(limited, seeker)
	}
	return d.Driver.Put(ctx, r)
}

// PutPart limits the body of a part.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	restore := d.limitPart(ctx, r)
	defer restore()
	return d.Driver.PutPart(ctx, r)
}

// Compose lets the store append the bytes of an Append, and then waits for as long as these bytes
// should take. It does not wait if the store cannot append, because the engine then uploads the bytes
// by other methods, which apply the limit.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Compose(ctx, r)
	if storage.CodeOf(err) != storage.Unsupported {
		// An error of ctx does not matter, because the bytes were sent.
		_ = d.limiter.sent(ctx, len(r.Tail))
	}
	return attrs, err
}

// CompleteParts limits the body of the last part, if it sends one.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if r.Last != nil {
		restore := d.limitPart(ctx, r.Last)
		defer restore()
	}
	return d.Driver.CompleteParts(ctx, r)
}

// limitPart limits the body of a part until restore is called. It does not copy the request, because
// the engine may set other fields of it during the upload.
func (d *objectDriver) limitPart(ctx context.Context, r *driver.PartRequest) (restore func()) {
	body := r.Body
	r.Body = withSeek(&uploadBody{Reader: body, ctx: ctx, limiter: d.limiter}, body)
	return func() {
		r.Body = body
	}
}

// Get limits the body of a download.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil || body == nil {
		return attrs, body, err
	}
	bodyCtx, cancel := context.WithCancel(ctx)
	return attrs, &downloadBody{ReadCloser: body, ctx: bodyCtx, cancel: cancel, limiter: d.limiter}, nil
}

// An uploadBody limits Read to the rate of uploads.
type uploadBody struct {
	io.Reader
	ctx     context.Context
	limiter *limiter
}

// Read reads a few bytes, and then waits for as long as sending them should take.
func (b *uploadBody) Read(p []byte) (int, error) {
	rate := b.limiter.timetable.At(b.limiter.now()).Upload
	n, err := b.Reader.Read(p[:readSize(rate, len(p))])
	waitErr := b.limiter.sent(b.ctx, n)
	return n, cmp.Or(err, waitErr)
}

// withSeek returns body with the methods Seek and, if it has that, PeekAt of the original.
func withSeek(body *uploadBody, original io.Seeker) io.ReadSeeker {
	seekable := &seekableBody{Reader: body, Seeker: original}
	if peeker, ok := original.(driver.BodyPeeker); ok {
		return &peekableBody{ReadSeeker: seekable, BodyPeeker: peeker}
	}
	return seekable
}

// A seekableBody is a limited body with the Seek of the original, so that it can be read again.
type seekableBody struct {
	io.Reader
	io.Seeker
}

// A peekableBody is a seekableBody that is also a [driver.BodyPeeker], as the engine's bodies are.
type peekableBody struct {
	io.ReadSeeker
	driver.BodyPeeker
}

// A downloadBody limits Read to the rate of downloads. Close ends a Read that waits.
type downloadBody struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelFunc
	limiter *limiter
}

// Read reads a few bytes, and then waits for as long as receiving them should take.
func (b *downloadBody) Read(p []byte) (int, error) {
	rate := b.limiter.timetable.At(b.limiter.now()).Download
	n, err := b.ReadCloser.Read(p[:readSize(rate, len(p))])
	serving.Pause(b.ctx)
	waitErr := b.limiter.download.wait(b.ctx, n, float64(rate))
	return n, cmp.Or(err, waitErr)
}

// Close ends a Read that waits.
func (b *downloadBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// readSize returns the number of bytes that one Read may return: those of a sixteenth of a second, so
// that a slow transfer moves steadily, and a change of the limits applies soon.
func readSize(rate Rate, wanted int) int {
	const (
		minBytes = 256
		maxBytes = 128 << 10
	)
	if rate <= 0 {
		return wanted
	}
	sixteenth := int(min(rate/16, maxBytes))
	return min(wanted, max(minBytes, sixteenth))
}
