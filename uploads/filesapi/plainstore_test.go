package filesapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A store works in a bucket without content types and metadata, because the record keeps the type of a file.
func TestStoreWithoutContentTypes(t *testing.T) {
	limits := faults.Limits{Disable: storage.ContentProperties | storage.Metadata}
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)))
	s, err := filesapi.NewStore(bucket, uploads.BucketRecords(memstore.New()), filesapi.StoreConfig{})
	require.NoError(t, err)
	options := fileOptions("a.html")

	// The record of a client file has its type.
	record, err := s.Upload(t.Context(), strings.NewReader("text"), options)
	require.NoError(t, err)
	require.Equal(t, "text/html; charset=utf-8", record.MIMEType)

	// The other calls do not need content types or metadata either.
	_, err = s.UploadTemp(t.Context(), strings.NewReader("temp"), options)
	require.NoError(t, err)
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", readContent(t, s, record.ID))
}
