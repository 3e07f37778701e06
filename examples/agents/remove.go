package agents

import (
	"context"
	"slices"

	"github.com/omnibucket/storage"
)

// removeUnchanged removes an object unless somebody has replaced it meanwhile.
func removeUnchanged(ctx context.Context, bucket storage.ReadWriter, key string) error {
	attrs, err := bucket.Attrs(ctx, key)
	if err != nil {
		return err // ObjectNotFound if there is none
	}
	return bucket.Remove(ctx, key, storage.IfRevision(attrs.Revision))
}

// clean removes many objects: those with these keys, and all below a prefix.
func clean(ctx context.Context, bucket storage.ReadWriter, keys []string, prefix string) (removed int, err error) {
	removed, err = storage.RemoveAll(ctx, bucket, slices.Values(keys))
	if err != nil {
		return removed, err // one *storage.Error for each key that failed, joined
	}
	n, err := storage.RemoveMatching(ctx, bucket, nil, storage.WithPrefix(prefix)) // nil: all of them
	return removed + n, err
}
