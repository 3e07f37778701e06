package uploads_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// If BucketRecords cannot read a record, Remove fails and keeps the record.
func TestRemoveKeepsUnreadableRecord(t *testing.T) {
	// Create a record.
	store := memstore.NewDriver(memstore.Config{})
	f := &uploads.File{
		ID:      uploads.NewID(time.Now()),
		Key:     "a",
		Name:    "a",
		Expires: time.Now().UTC().Truncate(time.Second),
	}
	records := uploads.BucketRecords(engine.New(store))
	require.NoError(t, records.Create(t.Context(), f))

	// In a second process, every read of the same store fails.
	failReads := func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Get" {
				return storage.Unavailable
			}
			return next(ctx)
		})
	}
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	unreadable := uploads.BucketRecords(engine.New(store, driver.WithLayer(failReads), noRetry))

	// The record stays, because it cannot be read.
	err := unreadable.Remove(t.Context(), f)
	require.ErrorIs(t, err, storage.Unavailable)
	_, err = records.Record(t.Context(), f.ID)
	require.NoError(t, err)

	// A record that can be read is removed.
	require.NoError(t, records.Remove(t.Context(), f))
	_, err = records.Record(t.Context(), f.ID)
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
