// Package unchanged removes an object that was copied, unless it is another one by now.
package unchanged

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

var errReplaced = errors.New("the source was replaced while it was copied, and was not removed")

// Remove removes the source of a copy. If the key has another object by now, Remove keeps that and fails with
// Changed. Without a revision, times are compared, and also without unique revisions: on S3, equal content that was
// written again has the same revision. reads are the options for reading its attributes.
func Remove(
	ctx context.Context, b storage.ReadWriter, key string, source *storage.Attrs, reads ...storage.AttrsOption,
) error {
	changed := &storage.Error{Code: storage.Changed, Op: "Move", Key: key, Err: errReplaced}
	conditional := source.Revision != "" && storage.Supports(b, storage.ConditionalRemove)
	if !conditional || !storage.Supports(b, storage.UniqueRevisions) {
		now, err := b.Attrs(ctx, key, reads...)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			if !conditional {
				return nil
			}
		case err != nil:
			return err
		case !now.Same(source) || writtenAgain(b, now, source):
			return changed
		}
	}
	if !conditional {
		return b.Remove(ctx, key)
	}
	err := b.Remove(ctx, key, storage.IfRevision(source.Revision))
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return changed
	}
	return err
}

// writtenAgain reports whether an object was written since it was listed, if its revision does not show it. A listing
// and an inventory may have no fractions of a second.
func writtenAgain(b storage.ReadWriter, now, listed *storage.Attrs) bool {
	if listed.Modified.IsZero() || storage.Supports(b, storage.UniqueRevisions) {
		return false
	}
	return !now.Modified.Truncate(time.Second).Equal(listed.Modified.Truncate(time.Second))
}
