package limit

import (
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

func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	body := r.Body
	defer func() {
		r.Body = body
	}()
	upload := uploadBody{Reader: body, ctx: ctx, limiter: d.limiter}
	if seeker, ok := body.(io.Seeker); ok {
		r.Body = seekable(upload, seeker, body)
	} else {
		r.Body = &upload
	}
	return d.Driver.Put(ctx, r)
}

func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	defer d.limitPart(ctx, r)()
	return d.Driver.PutPart(ctx, r)
}

// Compose lets the store append the bytes of a call of Append. It then waits for the time that
// these bytes should take at the limit. If the store cannot append, Compose does not wait. In this
// case, the engine uploads the bytes with other methods, which apply the limit.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Compose(ctx, r)
	if storage.CodeOf(err) != storage.Unsupported {
		// An error of ctx does not matter, because the bytes were sent.
		_ = d.limiter.sent(ctx, len(r.Tail))
	}
	return attrs, err
}

func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if r.Last != nil {
		defer d.limitPart(ctx, r.Last)()
	}
	return d.Driver.CompleteParts(ctx, r)
}

// limitPart replaces the body of a part by one that is limited. restore sets the former body again.
func (d *objectDriver) limitPart(ctx context.Context, r *driver.PartRequest) (restore func()) {
	body := r.Body
	r.Body = seekable(uploadBody{Reader: body, ctx: ctx, limiter: d.limiter}, body, body)
	return func() {
		r.Body = body
	}
}

func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil || body == nil {
		return attrs, body, err
	}
	waiting, cancel := context.WithCancel(ctx)
	return attrs, &downloadBody{ReadCloser: body, ctx: waiting, cancel: cancel, limiter: d.limiter}, nil
}

// An uploadBody limits Read to the rate of uploads.
type uploadBody struct {
	io.Reader
	ctx     context.Context
	limiter *limiter
}

func (b *uploadBody) Read(p []byte) (int, error) {
	rate := b.limiter.timetable.At(b.limiter.now()).Upload
	n, err := b.Reader.Read(p[:atOnce(rate, len(p))])
	if failure := b.limiter.sent(b.ctx, n); failure != nil && err == nil {
		err = failure
	}
	return n, err
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

func seekable(body uploadBody, seeker io.Seeker, original any) io.ReadSeeker {
	s := &seekableBody{&body, seeker}
	if peeker, ok := original.(driver.BodyPeeker); ok {
		return &peekableBody{s, peeker}
	}
	return s
}

// A downloadBody limits Read to the rate of downloads. Close ends a Read that waits.
type downloadBody struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelFunc
	limiter *limiter
}

func (b *downloadBody) Read(p []byte) (int, error) {
	rate := b.limiter.timetable.At(b.limiter.now()).Download
	n, err := b.ReadCloser.Read(p[:atOnce(rate, len(p))])
	serving.Pause(b.ctx)
	if failure := b.limiter.download.pass(b.ctx, n, float64(rate)); failure != nil && err == nil {
		err = failure
	}
	return n, err
}

func (b *downloadBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// atOnce returns the number of bytes that one Read may return. It is small, so that a slow transfer
// moves steadily and a change of the limits applies soon.
func atOnce(rate Rate, wanted int) int {
	const smallest, largest = 256, 128 << 10
	if rate <= 0 {
		return wanted
	}
	sixteenth := int(min(rate/16, largest)) // bytes of a sixteenth of a second
	return min(wanted, max(smallest, sixteenth))
}
