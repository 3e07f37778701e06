package storage

import (
	"context"
	"errors"

	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// Packages that the root package cannot import call the methods below. The first argument is a
// token of an internal package. Other modules cannot make a token, so they cannot call these
// methods.

// Reached returns the core of package engine below the front. If there is none, it returns the
// front's own Core. It also returns the front's prefix. complete is true if the front shows the
// whole core.
func (f *front) Reached(t serving.Token) (core any, prefix string, complete bool) {
	if f.core == nil || !t.Valid() {
		return nil, "", false
	}
	if core = f.core.Engine(); core == nil {
		core = f.core
	}
	return core, f.scope.Prefix, f.scope.Whole()
}

// MoveFrom moves an object of src in one step, if src has the same core and the store has
// ServerMove. Otherwise it does nothing and returns done false.
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
		return nil, false, located(f, "Move", to, e) // not the old key, which would mean that both keys exist
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

// eitherOutward removes the prefix from the key in the error of a copy or move. The error may be
// about the key at the destination, which is in f, or about the key in source. The two may have
// different prefixes.
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
