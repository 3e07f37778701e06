// Package evidence finds out what must be known before an object is removed because of another one: by a job
// that moves, a layer with two stores, or a sweep. Two ends are compared as sets of places. If places cannot
// be compared, a question is asked: an object that is stored at one end must not appear at the other. A
// listing that decides what is removed does not fail over to a store that may lag.
package evidence

import "context"

type withoutFailover struct{}

// WithoutFailover returns a context in which reads and listings come from the store that decides, or fail.
func WithoutFailover(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutFailover{}, true)
}

// MayFailOver reports whether a read or a listing may come from a store that may lag.
func MayFailOver(ctx context.Context) bool { return ctx.Value(withoutFailover{}) == nil }

type asking struct{}

// Asking returns a context of a question. With it, an object that is stored must appear in each store of a layer,
// or the write fails, and a look finds an object that any store has.
func Asking(ctx context.Context) context.Context {
	return context.WithValue(WithoutFailover(ctx), asking{}, true)
}

// Asks reports whether a call belongs to a question. A call that came through a server has lost the context, and is
// recognized by the key of the object.
func Asks(ctx context.Context, key string) bool { return ctx.Value(asking{}) != nil || IsKey(key) }
