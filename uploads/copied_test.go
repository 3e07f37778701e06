package uploads_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A bucket with unfinished uploads was copied. A Sweep of the copy removes the expired uploads there, and leaves those of
// the original bucket.
func TestSweepOfCopiedBucket(t *testing.T) {
	bucket := memstore.New()
	copied := memstore.New()

	// Two uploads are unfinished.
	s := newSessionSite(t, bucket, uploads.Config{})
	s3Upload := s.beginMultipart(map[string]any{"filename": "a"})
	part := s3Upload.sendPart(1, content(1000))
	tusUpload := s.create("Upload-Length", "3")
	s.patch(tusUpload, 0, []byte("a"), 1)

	// Copy all objects as they are.
	ctx := driver.WithLayerMetadata(t.Context())
	for entry, err := range bucket.List(ctx) {
		require.NoError(t, err)
		_, err = storage.Copy(ctx, copied, entry.Key, bucket, entry.Key)
		require.NoError(t, err)
	}

	// Sweep the copy after the uploads have expired.
	later := &clock{}
	later.Advance(100 * time.Hour)
	sweeping, err := uploads.New(wrapped.Clock(t, copied, later.Now), withTestDefaults(uploads.Config{Now: later.Now}))
	require.NoError(t, err)

	report, err := sweeping.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, report.Uploads)
	for entry, err := range copied.List(t.Context()) {
		require.NoError(t, err)
		require.Fail(t, "an object is left in the copy", entry.Key)
	}

	// The original uploads can be completed.
	s.patch(tusUpload, 1, []byte("bc"), 3)
	require.Equal(t, http.StatusOK, s3Upload.complete(part).StatusCode)
	s.requireStored("files/alice/a", content(1000))
}
