package memstore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
)

// A passingCore is a user's Core that changes nothing.
type passingCore struct{ storage.Core }

// The conformance suite passes on a bucket whose Core wraps another one and overrides nothing.
func TestFurtherConformanceThroughACore(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		signing := storage.WithSigningBaseURL(server.URL + "/files")
		store := memstore.New(append([]storage.OpenOption{signing}, opts...)...)
		b, err := storage.Wrap(store, func(c storage.Core) storage.Core { return passingCore{c} })
		require.NoError(t, err)
		mux.Handle("/files/", serve.NewHandler(b))
		return b
	})
}
