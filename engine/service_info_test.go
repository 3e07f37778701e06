package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A partlyReadable is an account whose credentials may not read lifecycle rules.
type partlyReadable struct{ driver.ServiceDriver }

func (s partlyReadable) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info, err := s.ServiceDriver.BucketInfo(ctx, name)
	if err != nil {
		return nil, err
	}
	info.Lifecycle = nil
	info.Unread = []string{"Lifecycle"}
	return info, storage.PermissionDenied
}

// BucketInfo fails if some settings cannot be read, and returns the others beside the error. Without the error, a
// program that adds a rule to those it has read would remove the others.
func TestBucketInfoPartlyDenied(t *testing.T) {
	// The driver is not permitted to read the lifecycle rules of a bucket.
	s := engine.NewService(partlyReadable{memstore.NewServiceDriver(memstore.ServiceConfig{})})
	rule := storage.LifecycleRule{ID: "tmp", Prefix: "tmp/", ExpireAfterDays: 1}
	_, err := s.CreateBucket(t.Context(), "photos", storage.WithLifecycle(rule), storage.WithVersioning(true))
	require.NoError(t, err)

	info, err := s.BucketInfo(t.Context(), "photos")
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Equal(t, []string{"Lifecycle"}, info.Unread)
	require.True(t, info.Versioning)
	require.NotEmpty(t, info.Provider)

	// For a bucket that does not exist, there are no settings to return.
	info, err = s.BucketInfo(t.Context(), "missing")
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.Nil(t, info)

	// A listing of buckets has no rules on any store.
	for listed, err := range s.Buckets(t.Context()) {
		require.NoError(t, err)
		require.Nil(t, listed.Lifecycle)
	}
}
