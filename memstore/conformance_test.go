package memstore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
)

// Signed addresses are answered by a server of their own, as a program's would.
func TestConformance(t *testing.T) {
	storagetest.RunDriver(t, func(*testing.T) storage.Driver {
		return memstore.NewDriver(memstore.Config{})
	}, storagetest.WithOpener(func(t *testing.T, d storage.Driver, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		b := storage.New(d, append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)...)
		mux.Handle("/files/", serve.NewHandler(b))
		return b
	}))
}
