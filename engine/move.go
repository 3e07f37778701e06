package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/scope"
)

// Move makes one driver call, if the driver can do what the options ask for; else it copies and removes.
func (b *bucket) Move(ctx context.Context, from, to string, opts ...storage.CopyOption) (*storage.Attrs, error) {
	a, done, err := b.MoveInOneStep(ctx, to, b, from, opts...)
	if done || err != nil {
		return a, err
	}
	return moveByCopy(ctx, b, from, to, opts)
}

// MoveInOneStep moves an object of src, which shows the same bucket, by one driver call. If that is not
// possible, nothing is done.
func (b *bucket) MoveInOneStep(ctx context.Context, to string, src storage.Bucket, from string, opts ...storage.CopyOption) (a *storage.Attrs, done bool, err error) {
	source, ok := src.(*bucket)
	if !ok || source.core != b.core {
		return nil, false, nil
	}
	m := &moveOp{}
	if e := m.open(b, source, from, to, m.given.ApplyMove(source.scope.Key(from), b.scope.Key(to), opts...)); e != nil {
		return nil, false, m.op.end(e)
	}
	if !m.inOneStep() {
		return nil, false, nil
	}
	a, err = run(ctx, &m.op, nil, m.run)
	if storage.CodeOf(err) == storage.Unsupported && !errors.Is(err, storage.OutcomeUnknown) {
		return nil, false, nil
	}
	return a, err == nil, err
}

// A moveOp is one call of Move. Its operation is the destination's.
type moveOp struct {
	op    operation
	req   driver.MoveRequest
	given storage.CopyOptions
}

// open checks the options and keys; failed is how reading the options went.
func (m *moveOp) open(b, src *bucket, from, to string, failed error) *storage.Error {
	e := m.op.prepare(b, scope.Upload|scope.Remove, "Move", to)
	if e == nil { // an error names the destination: the source would say that the object is at both
		e = new(operation).prepare(src, scope.Download|scope.Remove, "Move", from)
	}
	if e == nil {
		e = ownError(failed)
	}
	if e != nil {
		return e
	}
	m.req = driver.MoveRequest{From: src.scope.Key(from), Key: m.op.key, Condition: m.given.Condition}
	m.op.keys = []string{m.req.From}
	e = b.core.resolveWrite(m.req.Key, written{&m.given.Properties, m.given.Set, &m.given.Controls, &m.req.Condition, new([]any), m.given.Native})
	return cmp.Or(e, b.core.checkReadKey(m.req.From))
}

// inOneStep reports whether the driver moves objects, and no option asks for more than another key.
func (m *moveOp) inOneStep() bool {
	given := &m.given
	more := given.Set != 0 || given.Tags != nil || locks(&given.Controls) || given.PublicRead || given.WriteID != "" || len(given.Native)+len(given.SourceNative) > 0
	return !more && m.op.core.has(storage.ServerMove)
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

// failure returns what the failure of a move means. After an attempt that may have moved the object,
// a missing source and an object at the destination prove nothing.
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
