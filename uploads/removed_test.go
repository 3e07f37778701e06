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

// Config.Removed is called before a file's bytes are removed, in whichever way. Otherwise a thumbnail that depends
// on them would stay forever.
func TestRemovedIsCalledBeforeTheBytesGo(t *testing.T) {
	eva := uploads.User{ID: "eva"}
	tests := []struct {
		name    string
		records bool
		remove  func(ctx context.Context, s *uploads.Service, f *uploads.File) error
	}{
		{"Delete", false, func(ctx context.Context, s *uploads.Service, f *uploads.File) error { return s.Delete(ctx, f.Key, eva) }},
		{"Delete of a file with a record", true, func(ctx context.Context, s *uploads.Service, f *uploads.File) error { return s.Delete(ctx, f.Key, eva) }},
		{"Remove", true, func(ctx context.Context, s *uploads.Service, f *uploads.File) error { return s.Remove(ctx, f) }},
		{"Remove by the ID", true, func(ctx context.Context, s *uploads.Service, f *uploads.File) error {
			return s.Remove(ctx, &uploads.File{ID: f.ID})
		}},
		{"Sweep of a file that has expired", true, func(ctx context.Context, s *uploads.Service, _ *uploads.File) error {
			_, err := s.Sweep(ctx)
			return err
		}},
		{"Sweep of bytes without a record", true, func(ctx context.Context, s *uploads.Service, f *uploads.File) error {
			if err := s.Records().Remove(ctx, f); err != nil {
				return err
			}
			_, err := s.Sweep(ctx)
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			now := time.Now()
			failing := true
			clock := func() time.Time { return now }
			bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clock}))
			var derived []string
			config := uploads.Config{
				Rules:        rules.Any(0),
				Now:          clock,
				DeleteShared: true,
				Removed: func(ctx context.Context, key string) error {
					exists, err := bucket.Exists(ctx, key)
					require.NoError(t, err)
					require.True(t, exists, "the bytes are still there")
					derived = append(derived, key)
					if failing {
						return errBusy
					}
					return nil
				},
			}
			upload := uploads.Upload{Body: strings.NewReader("x"), Name: "a", User: eva}
			if tt.records {
				config.Records = uploads.BucketRecords(bucket)
				upload.Target = &uploads.Target{Lifetime: time.Hour}
			}
			s, err := uploads.New(bucket, config)
			require.NoError(t, err)
			f, err := s.Store(ctx, upload)
			require.NoError(t, err)
			now = now.Add(25 * time.Hour)

			require.ErrorIs(t, tt.remove(ctx, s, f), errBusy)
			exists, err := bucket.Exists(ctx, f.Key)
			require.NoError(t, err)
			require.True(t, exists, "a removal that fails keeps the bytes")

			failing = false
			require.NoError(t, tt.remove(ctx, s, f))
			require.Equal(t, []string{f.Key, f.Key}, derived)

			exists, err = bucket.Exists(ctx, f.Key)
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
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
