package engine

import (
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
		if !opts.MovesOnly() || !b.engine.has(storage.ServerMove) {
			return b.moveByCopy(m.op.within(ctx), src, dst, opts)
		}
		attrs, e := m.run(ctx)
		if e != nil && e.Code == storage.Unsupported && !e.Unknown {
			return b.moveByCopy(m.op.within(ctx), src, dst, opts)
		}
		return attrs, e
	})
}

// moveByCopy copies the object, and then removes the source, unless it has changed meanwhile.
func (b bucket) moveByCopy(
	ctx context.Context, src, dst string, opts *storage.CopyOptions,
) (*storage.Attrs, *storage.Error) {
	source, err := b.Attrs(ctx, src, &storage.DownloadOptions{
		Length: -1, // the whole object
		Native: opts.SourceNative,
	})
	if err != nil {
		return nil, b.copyFailure(err, dst)
	}
	attrs, err := b.CopyFrom(ctx, dst, b.Source(src), opts)
	if err != nil {
		return nil, b.copyFailure(err, dst)
	}

	// Only the revision that was copied may be removed.
	err = revisions.RemoveUnchanged(ctx, storage.NewBucket(b), src, source, nativeReads(opts.SourceNative)...)
	if err != nil {
		// The error keeps the key of the source, which says that only the removal failed.
		return nil, b.moveError(err)
	}
	return attrs, nil
}

// copyFailure returns the error of a Move that failed before its copy was complete. It has the key of
// the destination, unless the source is missing, because the key of the source would mean that the
// copy succeeded and only the removal failed.
func (b bucket) copyFailure(err error, dst string) *storage.Error {
	e := b.moveError(err)
	if e.Code != storage.ObjectNotFound {
		e.Key = dst
	}
	return e
}

// moveError returns the error of a part of a Move as an error of the Move.
func (b bucket) moveError(err error) *storage.Error {
	e := ownError(err)
	e.Op = "Move"
	e.Provider = b.engine.desc.Provider
	e.Bucket = b.engine.desc.Bucket
	return e
}

// nativeReads returns native options as options of Attrs.
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

// open checks the keys and options of a move, and fills its request.
func (m *moveOp) open(c *engine, src, dst string, opts *storage.CopyOptions) *storage.Error {
	// The hooks see both keys.
	m.op.keys = []string{src}
	if e := m.op.prepareWrite(c, "Move", dst); e != nil {
		return e
	}
	m.req = driver.MoveRequest{
		From:      src,
		Key:       dst,
		Condition: opts.Condition,
	}

	// A MoveRequest has no properties, controls or native options, but a move must fail for the same
	// options as a copy, so check copies of them.
	properties := opts.Properties
	controls := opts.Controls
	var native []any
	e := c.resolveWrite(dst, writeFields{
		properties: &properties,
		set:        opts.Set,
		controls:   &controls,
		condition:  &m.req.Condition,
		native:     &native,
		natives:    opts.Native,
	})
	if e != nil {
		return e
	}
	return c.checkReadKey(src)
}

// run moves the object by one request of the driver.
func (m *moveOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	attrs, e := request(ctx, &m.op, func(ctx context.Context) (*storage.Attrs, error) {
		attrs, err := m.op.engine.driver.Move(ctx, &m.req)
		if errors.Is(err, storage.OutcomeUnknown) {
			// The first attempt may have moved the object, and another client may have written a new
			// one to the old key. A retry would replace the first object by the new one.
			m.op.once = true
		}
		return attrs, err
	})
	if e != nil {
		return nil, m.failure(e)
	}
	return m.op.toUser(ctx, attrs), nil
}

// failure returns the error of the driver in the form for the caller.
func (m *moveOp) failure(e *storage.Error) *storage.Error {
	if e.Code != storage.ObjectNotFound && e.Code != storage.PreconditionFailed {
		return e
	}
	mayHaveMoved := e.Unknown || state(e).Repeated
	if mayHaveMoved {
		// An earlier attempt may have moved the object, so neither a missing source nor an object at the
		// destination proves that the move failed.
		e.Code = storage.OutcomeUnknown
		e.Unknown = true
		e.Hint = "a response was lost: the object is at its old key or at the new one"
		return e
	}
	if e.Code == storage.ObjectNotFound {
		// The source is missing, so the error names its key.
		return keyError(&m.op, e, m.req.From)
	}

	// After IfAbsent, the text of the error says that there is an object.
	state(e).Absent = m.req.Condition.Absent
	return e
}
