package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/scope"
)

// Move changes the key of an object of b, and returns the attributes of the moved object. If the
// store has [ServerMove], and the only options are [IfAbsent] and [IfRevision], Move makes one
// request. Then the object has exactly one of the two keys at each moment. Otherwise Move makes a
// [Copy], and then removes the revision that it has copied. Conditions guard the destination.
// Without a condition, Move replaces an object that already has the new key. The object keeps the
// same attributes as with Copy. [WithVersion] is not permitted. In a local directory, revision and
// time stay the same.
//
// If Move fails, the object still has its old key, with two exceptions. If the error is
// [OutcomeUnknown], the object has its old or its new key. If the copy was made but the source
// could not be removed, both keys have the object, and the error's Key is the old key. If the
// source was replaced meanwhile, the Code of this error is Changed. To continue, repeat the call
// without IfAbsent. If the store has no [ConditionalRemove], a write to the old key just before the
// removal is lost.
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
