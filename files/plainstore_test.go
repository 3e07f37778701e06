package files_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// The record has the type, so a bucket that keeps none is enough.
func TestABucketWithoutContentTypesStoresFiles(t *testing.T) {
	b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ContentProperties | storage.Metadata})))
	s, err := files.New(b, files.BucketRecords(memstore.New()), files.Config{})
	require.NoError(t, err)
	options := named("a.html")
	options.MIMEType = "text/html"
	r, err := s.Upload(t.Context(), strings.NewReader("text"), options)
	require.NoError(t, err)
	require.Equal(t, "text/html", r.MIMEType)
	_, err = s.UploadTemp(t.Context(), strings.NewReader("temp"), options)
	require.NoError(t, err)
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", content(t, s, r.ID))
}
