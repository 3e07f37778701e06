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

// The description of a bucket that a request uses does not change when another request enables versioning.
func TestDescribeDoesNotChangeWhileUsed(t *testing.T) {
	s := newPhotosStore(t)
	b, settings, err := s.bucketOf(t.Context(), "photos")
	require.NoError(t, err)
	used := b.description()
	features := used.Features

	versioned := *settings
	versioned.Versioning = state.Enabled
	b.cacheSettings(&versioned, "")

	require.NotEmpty(t, used.Provider)
	require.Equal(t, features, used.Features)
}

// While the store is down, Bucket returns the settings that were last read, and ChangeBucket fails.
func TestSettingsStayWhileStoreIsDown(t *testing.T) {
	ctx := t.Context()
	s := newPhotosStore(t)
	b, settings, err := s.bucketOf(ctx, "photos")
	require.NoError(t, err)

	// From now on, each call of the store fails.
	fail := func(context.Context, string, func(context.Context) error) error {
		return storage.Unavailable
	}
	b.records.driver = driver.Intercept(b.records.driver, fail)

	// The settings are so old that they must be read again.
	b.cached.readAt = time.Time{}

	bucket, err := s.Bucket(ctx, "photos")
	require.NoError(t, err)
	require.Same(t, settings, bucket)

	changeNothing := func(*state.Bucket) error { return nil }
	require.Error(t, s.ChangeBucket(ctx, "photos", changeNothing))
}
