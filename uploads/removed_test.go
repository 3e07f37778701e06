package uploads_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// Config.Removed is called before the bytes of a file are removed, whichever way the file goes. If Removed fails, the
// bytes stay, so that the application can try again to remove what depends on them.
func TestRemovedIsCalledBeforeTheBytesGo(t *testing.T) {
	tests := []struct {
		name       string
		hasRecords bool
		remove     func(ctx context.Context, s *uploads.Service, f *uploads.File) error
	}{
		{name: "Delete", remove: deleteOfUser},
		{name: "Delete of a file with a record", hasRecords: true, remove: deleteOfUser},
		{name: "Remove", hasRecords: true, remove: removeFile},
		{name: "Remove by the ID", hasRecords: true, remove: removeByID},
		{name: "Sweep of a file that has expired", hasRecords: true, remove: sweepExpired},
		{name: "Sweep of bytes without a record", hasRecords: true, remove: sweepWithoutRecord},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The service and its bucket have the same clock.
			now := time.Now()
			clock := func() time.Time { return now }
			bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clock}))

			exists := func(key string) bool {
				t.Helper()
				found, err := bucket.Exists(t.Context(), key)
				require.NoError(t, err)
				return found
			}

			// Whenever Removed is called, the bytes are still there.
			removedErr := errBusy
			var removedKeys []string
			config := uploads.Config{
				Rules:        rules.Any(0),
				Now:          clock,
				DeleteShared: true,
				Removed: func(_ context.Context, key string) error {
					require.True(t, exists(key))
					removedKeys = append(removedKeys, key)
					return removedErr
				},
			}

			// Store a file. With records, it has a lifetime.
			upload := uploads.Upload{Body: strings.NewReader("x"), Name: "a", User: uploads.User{ID: "eva"}}
			if tt.hasRecords {
				config.Records = uploads.BucketRecords(bucket)
				upload.Target = &uploads.Target{Lifetime: time.Hour}
			}
			s := newService(t, bucket, config)
			f, err := s.Store(t.Context(), upload)
			require.NoError(t, err)

			// Wait until Sweep may remove it.
			const afterLifetimeAndGrace = 25 * time.Hour
			now = now.Add(afterLifetimeAndGrace)

			// While Removed fails, the bytes stay.
			require.ErrorIs(t, tt.remove(t.Context(), s, f), errBusy)
			require.True(t, exists(f.Key))

			// When it succeeds, they are removed.
			removedErr = nil
			require.NoError(t, tt.remove(t.Context(), s, f))
			require.False(t, exists(f.Key))
			require.Equal(t, []string{f.Key, f.Key}, removedKeys)
		})
	}
}

func deleteOfUser(ctx context.Context, s *uploads.Service, f *uploads.File) error {
	return s.Delete(ctx, f.Key, uploads.User{ID: "eva"})
}

func removeFile(ctx context.Context, s *uploads.Service, f *uploads.File) error {
	return s.Remove(ctx, f)
}

func removeByID(ctx context.Context, s *uploads.Service, f *uploads.File) error {
	return s.Remove(ctx, &uploads.File{ID: f.ID})
}

func sweepExpired(ctx context.Context, s *uploads.Service, _ *uploads.File) error {
	_, err := s.Sweep(ctx)
	return err
}

// sweepWithoutRecord removes the record of a file, so that Sweep removes its bytes.
func sweepWithoutRecord(ctx context.Context, s *uploads.Service, f *uploads.File) error {
	if err := s.Records().Remove(ctx, f); err != nil {
		return err
	}
	_, err := s.Sweep(ctx)
	return err
}

var errBusy = errors.New("the thumbnails are busy")

// Store calls Removed for a file that it takes back because Stored has failed.
func TestRemovedIsCalledIfStoredFails(t *testing.T) {
	bucket := memstore.New()
	storedKey := ""
	removedKey := ""
	s, err := uploads.New(bucket, uploads.Config{
		Rules: rules.Any(0),
		Stored: func(_ context.Context, f *uploads.File) error {
			storedKey = f.Key
			return storage.Unavailable
		},
		Removed: func(_ context.Context, key string) error {
			removedKey = key
			return nil
		},
	})
	require.NoError(t, err)

	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("x"), Name: "a"})
	require.Error(t, err)
	require.NotEmpty(t, storedKey)
	require.Equal(t, storedKey, removedKey)
}

// Removed is not called for content that Inspect refuses, because it never became a file.
func TestRemovedIsNotCalledForRefusedContent(t *testing.T) {
	bucket := memstore.New()
	s, err := uploads.New(bucket, uploads.Config{
		Rules:   rules.Any(0),
		Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error { return &uploads.Error{Message: "no"} },
		Removed: func(_ context.Context, key string) error {
			t.Errorf("%s was removed", key)
			return nil
		},
	})
	require.NoError(t, err)
	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("x"), Name: "a"})
	require.Equal(t, uploads.Refused, uploads.CodeOf(err))
}
