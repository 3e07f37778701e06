package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/unchanged"
)

// Move makes one driver call, if the driver can do what the options ask for; else it copies and removes.
func (b bucket) Move(ctx context.Context, from, to string, given *storage.CopyOptions) (*storage.Attrs, error) {
	m := &moveOp{}
	if e := m.open(b.core, from, to, given); e != nil {
		return nil, m.op.end(e)
	}
	if !given.MovesOnly() || !b.core.has(storage.ServerMove) {
		return b.moveByCopy(ctx, from, to, given)
	}
	a, err := run(ctx, &m.op, nil, m.run)
	if storage.CodeOf(err) == storage.Unsupported && !errors.Is(err, storage.OutcomeUnknown) {
		return b.moveByCopy(ctx, from, to, given)
	}
	return a, err
}

// moveByCopy moves an object by a copy and a removal.
func (b bucket) moveByCopy(
	ctx context.Context, from, to string, given *storage.CopyOptions,
) (a *storage.Attrs, err error) {
	reads := &storage.DownloadOptions{Length: -1, Native: given.SourceNative}
	source, err := b.Attrs(ctx, from, reads)
	if err == nil {
		a, err = b.CopyFrom(ctx, to, b.Source(from), given)
	}
	if err == nil {
		err = unchanged.Remove(ctx, storage.NewBucket(b), from, source, *reads)
	}
	if err == nil {
		return a, nil
	}
	e := ownError(err)
	e.Op, e.Provider, e.Bucket = "Move", b.core.desc.Provider, b.core.desc.Bucket
	if a == nil && e.Code != storage.ObjectNotFound {
		e.Key = to // the key of the source would say that the object is at both
	}
	return nil, e
}

// A moveOp is one call of Move. Its operation is the destination's.
type moveOp struct {
	op  operation
	req driver.MoveRequest
}

// open checks the options and keys.
func (m *moveOp) open(c *core, from, to string, given *storage.CopyOptions) *storage.Error {
	if e := m.op.prepareWrite(c, "Move", to); e != nil {
		return e
	}
	m.req = driver.MoveRequest{From: from, Key: to, Condition: given.Condition}
	m.op.keys = []string{from}
	p, w := given.Properties, given.Controls
	e := c.resolveWrite(to, written{&p, given.Set, &w, &m.req.Condition, new([]any), given.Native})
	return cmp.Or(e, c.checkReadKey(from))
}

func (m *moveOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	a, e := request(ctx, &m.op, func(ctx context.Context) (*storage.Attrs, error) {
		a, err := m.op.core.driver.Move(ctx, &m.req)
		if errors.Is(err, storage.OutcomeUnknown) {
			m.op.once = true // another attempt could move what was written to the source meanwhile, over what this one has moved
		}
		return a, err
	})
	if e != nil {
		return nil, m.failure(e)
	}
	return m.op.toUser(ctx, a), nil
}

// failure returns the error that the failure of a move means to the caller. After an attempt that
// may have moved the object, a missing source and an object at the destination prove nothing.
func (m *moveOp) failure(e *storage.Error) *storage.Error {
	refused := e.Code == storage.ObjectNotFound || e.Code == storage.PreconditionFailed
	switch {
	case refused && (e.Unknown || state(e).Repeated):
		e.Code, e.Unknown = storage.OutcomeUnknown, true
		e.Hint = "a response was lost: the object is at its old key or at the new one"
	case e.Code == storage.ObjectNotFound:
		return keyError(&m.op, e, m.req.From)
	case e.Code == storage.PreconditionFailed:
		state(e).Absent = m.req.Condition.Absent
	}
	return e
}
