package uploads_test

import (
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
	var newestFirst []string
	for i := range 50 {
		key := "users/7/" + uploads.Newest(now.Add(time.Duration(i)*time.Minute))
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
		newestFirst = append([]string{key}, newestFirst...)
	}

	const pageSize = 20
	page, err := storage.ListPage(t.Context(), bucket, "", storage.WithPrefix("users/7/"), storage.WithPageSize(pageSize))
	require.NoError(t, err)
	var listed []string
	for _, entry := range page.Entries {
		listed = append(listed, entry.Key)
	}
	require.Equal(t, newestFirst[:pageSize], listed)

	require.NotEqual(t, uploads.Newest(now), uploads.Newest(now), "two files of the same time need two keys")
}

// With {newest} in Config.Key, later files have smaller keys, which New refuses if Config.Records is set.
func TestNewestFirstOfStoredFiles(t *testing.T) {
	bucket := memstore.New()
	s, err := uploads.New(bucket, uploads.Config{Key: "albums/{newest}{ext}"})
	require.NoError(t, err)

	first, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
	require.NoError(t, err)
	require.Regexp(t, `^albums/[0-9a-v]{35}[0g]\.png$`, first.Key)
	require.Less(t, "albums/"+uploads.Newest(time.Now().Add(time.Hour)), first.Key, "a later file comes before it")

	_, err = uploads.New(bucket, uploads.Config{Key: "files/{newest}", Records: uploads.BucketRecords(bucket)})
	require.ErrorIs(t, err, storage.InvalidArgument, "records are found by the order of times")
}
