// Package revisions tells objects apart that have the same key: whether an object is still the one that was copied or
// judged, whether two have the same properties, and to which store a revision belongs.
package revisions

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

var errReplaced = errors.New("the source was replaced while it was copied, and was not removed")

// RemoveUnchanged removes an object of b that was copied or judged when it had the attributes
// source. If another object has replaced it, RemoveUnchanged keeps the new object and fails with
// Changed.
//
// RemoveUnchanged compares revisions, and also modification times if the store has no revisions, or
// may give equal content the same one, as S3 does. The options apply when it reads the current
// attributes.
func RemoveUnchanged(
	ctx context.Context, b storage.ReadWriter, key string, source *storage.Attrs, reads ...storage.AttrsOption,
) error {
	conflict := &storage.Error{
		Code: storage.Changed,
		Op:   "Move",
		Key:  key,
		Err:  errReplaced,
	}

	// Compare the attributes if a condition of the removal would not be enough.
	isConditional := source.Revision != "" && storage.Supports(b, storage.ConditionalRemove)
	mustCompare := !isConditional || !storage.Supports(b, storage.UniqueRevisions)
	if mustCompare {
		current, err := b.Attrs(ctx, key, reads...)
		isMissing := storage.CodeOf(err) == storage.ObjectNotFound
		if isMissing && !isConditional {
			// The object has been removed already.
			return nil
		}
		if err != nil && !isMissing {
			return err
		}
		if err == nil && (!current.Same(source) || wasWrittenAgain(b, current, source)) {
			return conflict
		}
	}

	if !isConditional {
		return b.Remove(ctx, key)
	}
	err := b.Remove(ctx, key, storage.IfRevision(source.Revision))
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return conflict
	}
	return err
}

// wasWrittenAgain reports whether an object was written again after it was listed, by its modification
// time, if the store's revisions do not show that. Fractions of a second do not count, because
// listings and inventories may lack them.
func wasWrittenAgain(b storage.ReadWriter, current, listed *storage.Attrs) bool {
	if listed.Modified.IsZero() || storage.Supports(b, storage.UniqueRevisions) {
		return false
	}

	before := listed.Modified.Truncate(time.Second)
	now := current.Modified.Truncate(time.Second)
	return !now.Equal(before)
}
