package memstore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
)

// The conformance suite passes, with the signed URLs of each bucket served by a new HTTP server.
func TestConformance(t *testing.T) {
	newDriver := func(*testing.T) driver.Driver {
		return memstore.NewDriver(memstore.Config{})
	}
	openBucket := func(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		signing := storage.WithSigningBaseURL(server.URL + "/files")
		bucket := engine.New(d, append([]storage.OpenOption{signing}, opts...)...)
		mux.Handle("/files/", serve.NewHandler(bucket))
		return bucket
	}
	storagetest.RunDriver(t, newDriver, storagetest.WithOpener(openBucket))
}

// The conformance suite passes on a bucket that lists in any order, as S3's directory buckets do.
func TestFurtherRunInAnyOrder(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return memstore.NewDriver(memstore.Config{AnyOrder: true})
	})
}
