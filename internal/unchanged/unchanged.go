// Package unchanged removes an object that was copied, unless it is another one by now.
package unchanged

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

var errReplaced = errors.New("the source was replaced while it was copied, and was not removed")

// Remove removes the source of a copy. If the key has another object by now, Remove keeps that and fails with
// Changed. Without a revision, times are compared. reads are the options for reading its attributes.
func Remove(
	ctx context.Context, b storage.ReadWriter, key string, source *storage.Attrs, reads ...storage.AttrsOption,
) error {
	changed := &storage.Error{Code: storage.Changed, Op: "Move", Key: key, Err: errReplaced}
	if source.Revision != "" && storage.Supports(b, storage.ConditionalRemove) {
		err := b.Remove(ctx, key, storage.IfRevision(source.Revision))
		if storage.CodeOf(err) == storage.PreconditionFailed {
			return changed
		}
		return err
	}
	now, err := b.Attrs(ctx, key, reads...)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return nil
	case err != nil:
		return err
	case !now.Same(source):
		return changed
	}
	return b.Remove(ctx, key)
}
