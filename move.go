package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/core/scope"
)

// Move changes the key of an object of b, and returns the attributes of the moved object.
// Conditions apply to the destination. Without a condition, Move replaces an object that already
// has the new key. WithVersion is not permitted. Move keeps the attributes that [Copy] keeps, and
// in a local directory also the revision and time.
//
// If the store has [ServerMove], and the only options are IfAbsent and IfRevision, Move makes one
// request, and the object has exactly one of the two keys at each moment. Otherwise Move copies the
// object, and then removes the revision that it has copied. If the store has no
// [ConditionalRemove], a write to the old key just before the removal is lost.
//
// If two calls move an object between two keys in opposite directions at once, the object keeps at
// least one key if the store has ServerMove, or both ConditionalRemove and [UniqueRevisions]. On
// S3, which lacks UniqueRevisions, the object may be lost.
//
// If Move fails, the object still has its old key, with two exceptions. After OutcomeUnknown, it
// has its old or its new key. If only the removal of the source failed, both keys have the object,
// and the error's Key is the old key. The error's Code is then Changed if the source was replaced
// meanwhile. To continue after a failure, repeat the call without IfAbsent.
func Move(ctx context.Context, b ReadWriter, from, to string, opts ...CopyOption) (*Attrs, error) {
	f, err := frontOf(b, "Move", to)
	if err != nil {
		return nil, err
	}
	o := copyPool.get()
	defer copyPool.put(o)
	optsErr := o.ApplyMove(from, to, opts...)

	// The Core gets whole keys, which have the prefix of b.
	wholeFrom := f.scope.Key(from)
	wholeTo := f.scope.Key(to)
	if err := f.checkAllowed(scope.Upload|scope.Download|scope.Remove, optsErr); err != nil {
		op := Operation{Name: "Move", Key: wholeTo, Keys: []string{wholeFrom}}
		return nil, f.refuse(ctx, op, locateError(f, "Move", to, err))
	}
	o.state.View = f.scope.Prefix
	attrs, err := f.core.Move(ctx, wholeFrom, wholeTo, o)
	return f.attrsOrError(attrs, err, "Move", to)
}
