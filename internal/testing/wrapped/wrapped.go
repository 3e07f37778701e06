// Package wrapped makes buckets whose Core is a test's own.
package wrapped

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Bucket is [storage.Wrap] for a bucket that can be wrapped.
func Bucket(t testing.TB, b storage.Bucket, wrap func(storage.Core) storage.Core) storage.Bucket {
	t.Helper()
	wrapped, err := storage.Wrap(b, wrap)
	require.NoError(t, err)
	return wrapped
}

// Unknown returns a bucket that has the objects of b and does not tell their place. No two of its results are known
// to be one place.
func Unknown(t testing.TB, b storage.Bucket) storage.Bucket {
	t.Helper()
	return Bucket(t, b, func(c storage.Core) storage.Core { return &unknown{c} })
}

type unknown struct{ storage.Core }

func (u *unknown) Engine() any { return nil }

// RemoveEach is RemoveAll of a Core that overrides Remove.
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
