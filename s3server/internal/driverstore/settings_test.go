package driverstore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// If a request enables versioning, other requests in progress keep the description of the bucket that they have.
func TestDescribeDoesNotChangeWhileUsed(t *testing.T) {
	s := newPhotosStore(t)
	b, settings, err := s.bucketOf(t.Context(), "photos")
	require.NoError(t, err)
	used := b.description()
	features := used.Features
	bucket := *settings

	bucket.Versioning = state.Enabled
	b.cacheSettings(&bucket, "")
	require.NotEmpty(t, used.Provider)
	require.Equal(t, features, used.Features)
}

// While the store is down, Bucket returns the settings that it last read. ChangeBucket fails, because it needs
// those of this moment.
func TestSettingsStayWhileStoreIsDown(t *testing.T) {
	ctx := t.Context()
	s := newPhotosStore(t)
	b, settings, err := s.bucketOf(ctx, "photos")
	require.NoError(t, err)
	fail := func(context.Context, string, func(context.Context) error) error {
		return storage.Unavailable
	}
	b.records.driver = driver.Intercept(b.records.driver, fail)
	b.cached.readAt = time.Time{} // long ago, so that the settings must be read again

	bucket, err := s.Bucket(ctx, "photos")
	require.NoError(t, err)
	require.Same(t, settings, bucket)

	require.Error(t, s.ChangeBucket(ctx, "photos", func(*state.Bucket) error { return nil }))
}
