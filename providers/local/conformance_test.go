package local_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
)

// Signed addresses are answered by a server of their own, as a program's would.
func served(t *testing.T, d storage.Driver, opts ...storage.OpenOption) storage.Bucket {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	b := storage.New(d, append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)...)
	mux.Handle("/files/", serve.NewHandler(b))
	return b
}

func driverOf(t *testing.T, c local.Config) storage.Driver {
	d, err := local.NewDriver(t.TempDir(), c)
	require.NoError(t, err)
	return d
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b := served(t, driverOf(t, local.Config{NoSync: true}), opts...)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}, excluded()...)
}

func TestDriverConformance(t *testing.T) {
	storagetest.RunDriver(t, func(t *testing.T) storage.Driver {
		return driverOf(t, local.Config{})
	}, append(excluded(), storagetest.WithOpener(served))...)
}

func TestServiceConformance(t *testing.T) {
	storagetest.RunService(t, func(t *testing.T) *storage.Service {
		s, err := local.NewService(t.TempDir(), local.ServiceConfig{NoSync: true})
		require.NoError(t, err)
		return s
	}, excludedOfService()...)
}
