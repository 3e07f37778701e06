// Package evidence has what must be known before something is removed because of something else: a job that
// moves, a layer with two stores, a sweep. Two ends are compared as sets of places; where places do not
// compare, a question is asked: what is stored at one end must not appear at the other. A listing that decides
// what is removed does not fail over to a store that may lag.
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

// Asking returns a context of a question: what is stored must appear in each store that a layer has, or the write
// fails, and a look finds what any of them has.
func Asking(ctx context.Context) context.Context {
	return context.WithValue(WithoutFailover(ctx), asking{}, true)
}

// Asks reports whether a call is about a question. A call that came through a server has lost the context, and is known
// by the key of the object.
func Asks(ctx context.Context, key string) bool { return ctx.Value(asking{}) != nil || IsKey(key) }
