package local_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
	"github.com/stretchr/testify/require"
)

// Signed addresses are answered by a server of their own, as a program's would.
func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		opts = append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)
		b, err := local.Open(t.TempDir(), local.Config{NoSync: true}, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		mux.Handle("/files/", serve.NewHandler(b))
		return b
	})
}

func TestDriverConformance(t *testing.T) {
	storagetest.RunDriver(t, func(t *testing.T) storage.Driver {
		d, err := local.NewDriver(t.TempDir(), local.Config{})
		require.NoError(t, err)
		return d
	})
}

func TestServiceConformance(t *testing.T) {
	storagetest.RunService(t, func(t *testing.T) *storage.Service {
		s, err := local.NewService(t.TempDir(), local.ServiceConfig{NoSync: true})
		require.NoError(t, err)
		return s
	})
}
