package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/revisions"
)

// Move moves an object with one driver call, if the driver supports that with these options.
// Otherwise it copies the object and removes the source.
func (b bucket) Move(ctx context.Context, src, dst string, opts *storage.CopyOptions) (*storage.Attrs, error) {
	m := &moveOp{}
	// A mirror's second store may have an older object.
	ctx = driver.WithoutFailover(ctx)
	e := m.open(b.engine, src, dst, opts)
	return run(ctx, &m.op, e, func(ctx context.Context) (*storage.Attrs, *storage.Error) {
		if opts.MovesOnly() && b.engine.has(storage.ServerMove) {
			a, e := m.run(ctx)
			if e == nil || e.Code != storage.Unsupported || e.Unknown {
				return a, e
			}
		}
		return b.moveByCopy(m.op.within(ctx), src, dst, opts)
	})
}

// moveByCopy copies the object, and then removes the source if it has not changed meanwhile.
func (b bucket) moveByCopy(
	ctx context.Context, src, dst string, opts *storage.CopyOptions,
) (a *storage.Attrs, e *storage.Error) {
	reads := &storage.DownloadOptions{Length: -1, Native: opts.SourceNative}
	source, err := b.Attrs(ctx, src, reads)
	if err == nil {
		a, err = b.CopyFrom(ctx, dst, b.Source(src), opts)
	}
	if err == nil {
		err = revisions.RemoveUnchanged(ctx, storage.NewBucket(b), src, source, nativeReads(opts.SourceNative)...)
	}
	if err == nil {
		return a, nil
	}
	e = ownError(err)
	e.Op = "Move"
	e.Provider = b.engine.desc.Provider
	e.Bucket = b.engine.desc.Bucket
	if a == nil && e.Code != storage.ObjectNotFound {
		// Report the destination. An error with the key of the source would mean that the copy
		// succeeded and only the removal failed.
		e.Key = dst
	}
	return nil, e
}

// nativeReads returns the native options for reading the source as options of Attrs.
func nativeReads(natives []storage.NativeValue) []storage.AttrsOption {
	opts := make([]storage.AttrsOption, len(natives))
	for i, native := range natives {
		opts[i] = storage.WithNative(native.Provider, native.Value)
	}
	return opts
}

// A moveOp is one call of Move. Its key, for hooks and telemetry, is that of the destination. The
// reads, the copy and the removal of a store without ServerMove are parts of it.
type moveOp struct {
	op  operation
	req driver.MoveRequest
}

// open checks the options and keys, and completes the request.
func (m *moveOp) open(c *engine, src, dst string, opts *storage.CopyOptions) *storage.Error {
	m.op.keys = []string{src}
	if e := m.op.prepareWrite(c, "Move", dst); e != nil {
		return e
	}
	m.req = driver.MoveRequest{From: src, Key: dst, Condition: opts.Condition}
	p := opts.Properties
	w := opts.Controls
	e := c.resolveWrite(dst, writeFields{&p, opts.Set, &w, &m.req.Condition, new([]any), opts.Native})
	return cmp.Or(e, c.checkReadKey(src))
}

func (m *moveOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	a, e := request(ctx, &m.op, func(ctx context.Context) (*storage.Attrs, error) {
		a, err := m.op.engine.driver.Move(ctx, &m.req)
		if errors.Is(err, storage.OutcomeUnknown) {
			// Do not retry. The first attempt may have moved the object, and another client may
			// have written a new object to the old key. A retry would replace the first object with
			// the new one.
			m.op.once = true
		}
		return a, err
	})
	if e != nil {
		return nil, m.failure(e)
	}
	return m.op.toUser(ctx, a), nil
}

// failure turns an error of the driver into the error for the caller. If an earlier attempt may
// have moved the object, the outcome is unknown. Neither a missing source nor an object at the
// destination then proves that the move failed.
func (m *moveOp) failure(e *storage.Error) *storage.Error {
	maybeOwnEffect := e.Code == storage.ObjectNotFound || e.Code == storage.PreconditionFailed
	switch {
	case maybeOwnEffect && (e.Unknown || state(e).Repeated):
		e.Code = storage.OutcomeUnknown
		e.Unknown = true
		e.Hint = "a response was lost: the object is at its old key or at the new one"
	case e.Code == storage.ObjectNotFound:
		return keyError(&m.op, e, m.req.From)
	case e.Code == storage.PreconditionFailed:
		state(e).Absent = m.req.Condition.Absent
	}
	return e
}
