// Package wrapped makes buckets whose Core a test has wrapped or replaced.
package wrapped

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Bucket is like [storage.Wrap], but fails the test if the bucket cannot be wrapped.
func Bucket(t testing.TB, b storage.Bucket, wrap func(storage.Core) storage.Core) storage.Bucket {
	t.Helper()
	wrapped, err := storage.Wrap(b, wrap)
	require.NoError(t, err)
	return wrapped
}

// Unknown returns a bucket with the objects of b. The library cannot tell where these objects are
// stored. So it never knows that two such buckets are the same place.
func Unknown(t testing.TB, b storage.Bucket) storage.Bucket {
	t.Helper()
	return Bucket(t, b, func(c storage.Core) storage.Core { return &unknown{c} })
}

type unknown struct{ storage.Core }

func (u *unknown) Source(key string) storage.CopySource { return storage.NewCopySource(u, key) }

// RemoveEach implements RemoveAll for a Core that overrides Remove, by calling c.Remove for each
// key.
func RemoveEach(ctx context.Context, c storage.Core, keys iter.Seq[string]) (removed int, err error) {
	var failures []error
	for key := range keys {
		if ctx.Err() != nil {
			failures = append(failures, &storage.Error{Code: storage.Canceled, Op: "RemoveAll", Err: ctx.Err()})
			break
		}
		if err := c.Remove(ctx, key, &storage.RemoveOptions{}); err != nil {
			failures = append(failures, err)
			continue
		}
		removed++
	}
	return removed, errors.Join(failures...)
}
