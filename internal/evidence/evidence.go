// Package evidence finds out whether the two ends of a job, such as the source and the target of a
// move, are the same place. For example, a move removes an object at the source because it exists
// at the target. If the two ends are the same place, the object would be lost. A layer with two
// stores and a sweep would lose objects in the same way.
//
// An end is a set of places, and two ends are compared by their places. If the places do not show
// whether the ends are the same, the job asks a question: it stores an object at one end, and looks
// for it at the other.
//
// A listing that decides which objects are removed must not fail over to a store that may lag.
package evidence

import (
	"context"
	"sync/atomic"
)

type withoutFailover struct{}

// WithoutFailover returns a context in which a layer with several stores serves reads and listings
// only from its primary store. If that store fails, they fail.
func WithoutFailover(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutFailover{}, true)
}

// MayFailOver reports whether a read or a listing under ctx may come from a store that may lag
// behind the primary store.
func MayFailOver(ctx context.Context) bool { return ctx.Value(withoutFailover{}) == nil }

type failoverNote struct{}

// NoteFailover returns a context in which failedOver becomes true as soon as a layer has answered a
// read or a listing from a store that may lag behind the primary store.
func NoteFailover(ctx context.Context) (noted context.Context, failedOver *atomic.Bool) {
	failedOver = &atomic.Bool{}
	return context.WithValue(ctx, failoverNote{}, failedOver), failedOver
}

// FailedOver notes that a layer has answered from a store that may lag behind the primary store.
func FailedOver(ctx context.Context) {
	failedOver, ok := ctx.Value(failoverNote{}).(*atomic.Bool)
	if ok {
		failedOver.Store(true)
	}
}

type asking struct{}

// Asking returns a context for the requests of a [Question]. A Question asks whether two buckets
// are the same place. In this context, a layer with several stores must write an object to each
// store, or fail. A read must find an object that is in any of the stores.
func Asking(ctx context.Context) context.Context {
	return context.WithValue(WithoutFailover(ctx), asking{}, true)
}

// Asks reports whether a call belongs to a [Question]. Asks recognizes the call by its context,
// which comes from [Asking]. If the call came through a server, the context is lost. Asks therefore
// also recognizes the call by the key of the object.
func Asks(ctx context.Context, key string) bool { return ctx.Value(asking{}) != nil || IsKey(key) }
