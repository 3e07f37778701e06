package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/scope"
)

// Move gives an object of b another key, and returns its attributes there. With [ServerMove], and
// with no options but [IfAbsent] and [IfRevision], it is one request, and the object is at one
// of the keys at each moment. Otherwise Move makes a [Copy], and then removes the revision that it
// has copied. Conditions guard the destination; without one, an object there is replaced. The
// object keeps as much as with Copy. [WithVersion] does not fit. A directory that renames an object
// keeps its revision and time.
//
// If Move fails, the object is at from, and with [OutcomeUnknown] at from or to. If the copy was
// made and the source could not be removed, it is at both, and the error's Key is from: Changed if
// the source was replaced meanwhile. To continue, repeat the call, without IfAbsent. If the store
// has no [ConditionalRemove], a change in the moment before the removal is lost.
func Move(ctx context.Context, b ReadWriter, from, to string, opts ...CopyOption) (*Attrs, error) {
	f, e := need(b, "Move", to)
	if e != nil {
		return nil, e
	}
	given := copyPool.get()
	defer copyPool.put(given)
	applied := given.ApplyMove(from, to, opts...)
	if err := f.check(scope.Upload|scope.Download|scope.Remove, "Move", to, applied); err != nil {
		return nil, err
	}
	given.View = f.scope.Prefix
	a, err := f.core.Move(ctx, f.scope.Key(from), f.scope.Key(to), given)
	return f.attrs(a), f.outward(err)
}
