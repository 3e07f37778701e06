package storage

import (
	"context"
	"errors"

	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// Packages that the root cannot import reach a front by these methods. Their first argument has a type of an internal
// package, and a value that only that package has, so that nobody else can call them.

// Reached returns the core of package engine that the front leads to, or its Core if there is none. It also
// returns the prefix, and whether the front shows the whole core.
func (f *front) Reached(t serving.Token) (core any, prefix string, complete bool) {
	if f.core == nil || !t.Valid() {
		return nil, "", false
	}
	if core = f.core.Engine(); core == nil {
		core = f.core
	}
	return core, f.scope.Prefix, f.scope.Whole()
}

// MoveFrom moves an object of src in one step, if that shows the same core and the store can do so. Else it does
// nothing.
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
		return nil, false, located(f, "Move", to, e) // the source would say that the object is at both
	}
	if !given.MovesOnly() {
		return nil, false, nil
	}
	a, err := f.core.Move(ctx, source.scope.Key(from), f.scope.Key(to), given)
	if err != nil {
		return nil, false, f.eitherOutward(err, to, source, from)
	}
	return f.attrs(a), true, nil
}

// eitherOutward is outward for an error that is about the key to in f or about a source, which may have another prefix.
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
