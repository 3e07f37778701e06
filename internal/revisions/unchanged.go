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
	// Compare the attributes if a condition of the removal would not be enough.
	isConditional := source.Revision != "" && storage.Supports(b, storage.ConditionalRemove)
	mustCompare := !isConditional || !storage.Supports(b, storage.UniqueRevisions)
	if mustCompare {
		current, err := b.Attrs(ctx, key, reads...)
		isMissing := storage.CodeOf(err) == storage.ObjectNotFound
		if isMissing && !isConditional {
			// The object has been removed already. With a condition, the removal below decides that.
			return nil
		}
		if err != nil && !isMissing {
			return err
		}
		if !isMissing && isReplaced(b, current, source) {
			return replacedError(key)
		}
	}

	if !isConditional {
		return b.Remove(ctx, key)
	}
	// The condition also decides if the object was missing a moment ago.
	err := b.Remove(ctx, key, storage.IfRevision(source.Revision))
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return replacedError(key)
	}
	return err
}

// replacedError returns the error of a removal whose object was replaced.
func replacedError(key string) *storage.Error {
	return &storage.Error{
		Code: storage.Changed,
		Op:   "Move",
		Key:  key,
		Err:  errReplaced,
	}
}

// isReplaced reports whether the current object is not the one that had the attributes source.
func isReplaced(b storage.ReadWriter, current, source *storage.Attrs) bool {
	return !current.Same(source) || wasWrittenAgain(b, current, source)
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
