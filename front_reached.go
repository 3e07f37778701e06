package storage

import (
	"context"
	"errors"

	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// Other packages of this library need the methods below. The methods are exported, but other
// modules must not call them. For this reason, the first argument of each method is a token. Only
// this library can make a token.

// Reached returns the Core of package engine that this bucket uses. If the bucket uses no Core of
// package engine, Reached returns the Core of the bucket. The second result is the prefix of the
// bucket's keys. The third result is true if the bucket shows all keys and permits all operations.
func (f *front) Reached(t serving.Token) (core any, prefix string, complete bool) {
	if f.core == nil || !t.Valid() {
		return nil, "", false
	}
	if core = f.core.Engine(); core == nil {
		core = f.core
	}
	return core, f.scope.Prefix, f.scope.Whole()
}

// MayRemove reports whether this bucket permits Remove. The result of a Ref may not.
func (f *front) MayRemove(t serving.Token) bool { return t.Valid() && f.scope.Permits(scope.Remove) }

// MoveFrom moves an object in one step, and returns true. The parameter src is the bucket of the
// source. If src has another Core, or if the store does not have ServerMove, MoveFrom does nothing
// and returns false. It also does nothing if an option changes the object.
func (f *front) MoveFrom(
	t serving.Token, ctx context.Context, to string, src any, from string, opts any,
) (attrs any, done bool, err error) {
	source, ok := src.(*front)
	if !ok || !t.Valid() || f.core == nil || !equal.Values(f.core, source.core) || !f.core.Supports(ServerMove) {
		return nil, false, nil
	}
	given := copyPool.get()
	defer copyPool.put(given)
	applied := given.ApplyMove(source.scope.Key(from), f.scope.Key(to), opts.([]CopyOption)...)
	if err := f.check(scope.Upload|scope.Remove, "Move", to, applied); err != nil {
		return nil, false, err
	}
	if e := source.refused(scope.Download|scope.Remove, nil); e != nil {
		// The error has the new key. With the old key, it would mean that the copy succeeded and
		// only the removal failed.
		return nil, false, located(f, "Move", to, e)
	}
	if !given.MovesOnly() {
		return nil, false, nil
	}
	a, err := f.core.Move(ctx, source.scope.Key(from), f.scope.Key(to), given)
	if a, err = f.copied(a, err, "Move", to, source, from); err != nil {
		return nil, false, err
	}
	return a, true, nil
}

// copied returns the results of a copy or move by the Core, as the caller sees them. See answer.
func (f *front) copied(a *Attrs, err error, op, to string, source *front, from string) (*Attrs, error) {
	if a == nil && err == nil {
		return nil, f.noAnswer(op, to)
	}
	return f.attrs(a, to), f.eitherOutward(err, to, source, from)
}

// eitherOutward removes the prefix from the key in the error of a copy or move. If the error is
// about the destination, the key has the prefix of f. If the error is about the source, the key has
// the prefix of source.
func (f *front) eitherOutward(err error, to string, source *front, from string) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	of := f.scope.Key(to)
	if e.Key == of && (source == nil || source.scope.Key(from) != of || e.Bucket == f.core.Place().Bucket) {
		return f.outward(err)
	}
	if source != nil && e.Key == source.scope.Key(from) {
		return source.outward(err)
	}
	return err
}
