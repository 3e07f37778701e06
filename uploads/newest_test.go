package uploads_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// The first page of a listing has the newest files if their keys are from Newest.
func TestNewestFirstOnOnePage(t *testing.T) {
	// Upload files, each a minute later than the one before.
	bucket := memstore.New()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	var keys []string
	for range 50 {
		now = now.Add(time.Minute)
		key := "users/7/" + uploads.Newest(now)
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
		keys = append(keys, key)
	}

	// List one page.
	const pageSize = 20
	page, err := storage.ListPage(t.Context(), bucket, "", storage.WithPrefix("users/7/"), storage.WithPageSize(pageSize))
	require.NoError(t, err)
	var listed []string
	for _, entry := range page.Entries {
		listed = append(listed, entry.Key)
	}

	newestFirst := slices.Clone(keys)
	slices.Reverse(newestFirst)
	require.Equal(t, newestFirst[:pageSize], listed)
}

// Two files of the same time get different keys.
func TestNewestOfSameTimeDiffers(t *testing.T) {
	now := time.Now()
	require.NotEqual(t, uploads.Newest(now), uploads.Newest(now))
}

// With {newest} in Config.Key, later files have smaller keys.
func TestNewestFirstOfStoredFiles(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{Key: "albums/{newest}{ext}"})
	file, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
	require.NoError(t, err)
	require.Regexp(t, `^albums/[0-9a-v]{35}[0g]\.png$`, file.Key)

	anHourLater := "albums/" + uploads.Newest(time.Now().Add(time.Hour))
	require.Less(t, anHourLater, file.Key)
}

// New refuses {newest} in Config.Key if Config.Records is set, because records are found by the order of times.
func TestNewRefusesNewestWithRecords(t *testing.T) {
	bucket := memstore.New()
	_, err := uploads.New(bucket, uploads.Config{Key: "files/{newest}", Records: uploads.BucketRecords(bucket)})
	require.ErrorIs(t, err, storage.InvalidArgument)
}
