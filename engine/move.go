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
	// A mirror's second store may have an older object, which must not be moved instead.
	ctx = driver.WithoutFailover(ctx)
	checkErr := m.open(b.engine, src, dst, opts)
	return run(ctx, &m.op, checkErr, func(ctx context.Context) (*storage.Attrs, *storage.Error) {
		// A server that moves an object cannot change its attributes.
		mayMove := opts.MovesOnly() && b.engine.has(storage.ServerMove)
		if !mayMove {
			return b.moveByCopy(m.op.within(ctx), src, dst, opts)
		}

		attrs, err := m.run(ctx)
		// The server does not support this move, and has certainly not moved the object.
		wasRefused := err != nil && err.Code == storage.Unsupported && !err.Unknown
		if wasRefused {
			return b.moveByCopy(m.op.within(ctx), src, dst, opts)
		}
		return attrs, err
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
	failure := b.moveError(err)
	if failure.Code != storage.ObjectNotFound {
		failure.Key = dst
	}
	return failure
}

// moveError returns the error of a part of a Move as an error of the Move.
func (b bucket) moveError(err error) *storage.Error {
	failure := ownError(err)
	failure.Op = "Move"
	failure.Provider = b.engine.desc.Provider
	failure.Bucket = b.engine.desc.Bucket
	return failure
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
func (m *moveOp) open(e *engine, src, dst string, opts *storage.CopyOptions) *storage.Error {
	// The hooks see both keys.
	m.op.keys = []string{src}
	if err := m.op.prepareWrite(e, "Move", dst); err != nil {
		return err
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
	err := e.resolveWrite(dst, writeFields{
		properties: &properties,
		set:        opts.Set,
		controls:   &controls,
		condition:  &m.req.Condition,
		native:     &native,
		natives:    opts.Native,
	})
	if err != nil {
		return err
	}
	return e.checkReadKey(src)
}

// run moves the object by one request of the driver.
func (m *moveOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	attrs, err := request(ctx, &m.op, func(ctx context.Context) (*storage.Attrs, error) {
		attrs, err := m.op.engine.driver.Move(ctx, &m.req)
		if errors.Is(err, storage.OutcomeUnknown) {
			// The first attempt may have moved the object, and another client may have written a new
			// one to the old key. A retry would replace the first object by the new one.
			m.op.once = true
		}
		return attrs, err
	})
	if err != nil {
		return nil, m.failure(err)
	}
	return m.op.toUser(ctx, attrs), nil
}

// failure returns the error of the driver in the form for the caller.
func (m *moveOp) failure(err *storage.Error) *storage.Error {
	if err.Code != storage.ObjectNotFound && err.Code != storage.PreconditionFailed {
		return err
	}
	mayHaveMoved := err.Unknown || state(err).Repeated
	if mayHaveMoved {
		// An earlier attempt may have moved the object, so neither a missing source nor an object at the
		// destination proves that the move failed.
		err.Code = storage.OutcomeUnknown
		err.Unknown = true
		err.Hint = "a response was lost: the object is at its old key or at the new one"
		return err
	}
	if err.Code == storage.ObjectNotFound {
		// The source is missing, so the error names its key.
		return keyError(&m.op, err, m.req.From)
	}

	// After IfAbsent, the text of the error says that there is an object.
	state(err).Absent = m.req.Condition.Absent
	return err
}
