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
	hasCondition := source.Revision != "" && storage.Supports(b, storage.ConditionalRemove)
	if !hasCondition {
		err := checkUnchanged(ctx, b, key, source, reads)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			// The object has been removed already.
			return nil
		}
		if err != nil {
			return err
		}
		return b.Remove(ctx, key)
	}

	// The condition is not enough if an object with equal content may have the same revision. If the object
	// is missing, the removal with the condition decides what that means.
	if !storage.Supports(b, storage.UniqueRevisions) {
		err := checkUnchanged(ctx, b, key, source, reads)
		if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
			return err
		}
	}

	err := b.Remove(ctx, key, storage.IfRevision(source.Revision))
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return replacedError(key)
	}
	return err
}

// checkUnchanged fails with Changed if the object with the key is not the one that had the attributes source.
func checkUnchanged(
	ctx context.Context, b storage.ReadWriter, key string, source *storage.Attrs, reads []storage.AttrsOption,
) error {
	current, err := b.Attrs(ctx, key, reads...)
	if err != nil {
		return err
	}
	if isReplaced(b, current, source) {
		return replacedError(key)
	}
	return nil
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
