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

// TestConformance serves the signed URLs of each bucket from a new server, as a program does.
func TestConformance(t *testing.T) {
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return memstore.NewDriver(memstore.Config{})
	}, storagetest.WithOpener(func(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		b := engine.New(d, append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)...)
		mux.Handle("/files/", serve.NewHandler(b))
		return b
	}))
}

// The bucket lists in any order, like S3's directory buckets.
func TestFurtherRunInAnyOrder(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return memstore.NewDriver(memstore.Config{AnyOrder: true})
	})
}
