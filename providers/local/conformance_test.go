package local_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/storagetest"
)

// serveDriver returns a bucket of d whose signed URLs a new server serves, as in a program.
func serveDriver(t *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	b := engine.New(d,
		append([]storage.OpenOption{storage.WithSigningBaseURL(server.URL + "/files")}, opts...)...)
	mux.Handle("/files/", serve.NewHandler(b))
	return b
}

// openDriver opens a driver of a new directory.
func openDriver(t *testing.T, c local.Config) driver.Driver {
	d, err := local.NewDriver(t.TempDir(), c)
	require.NoError(t, err)
	return d
}

// A bucket with NoSync, which changes only writes, passes the cases of the conformance suite about writes.
func TestFurtherConformanceWithoutSync(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run

	// A rule begins with the letter of its section: writing, retrying, removing, errors or telemetry.
	const sections = "WTDEO"
	opts := excluded()
	for _, c := range storagetest.Cases() {
		if !strings.ContainsAny(c.Rule[:1], sections) {
			opts = append(opts, storagetest.Skip(c.Name, "it is not about writes"))
		}
	}

	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b := serveDriver(t, openDriver(t, local.Config{NoSync: true}), opts...)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}, opts...)
}

// A passingCore is a user's Core that changes nothing.
type passingCore struct{ storage.Core }

// A bucket with a user's Core passes the conformance suite.
func TestFurtherConformanceThroughACore(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of supported features has no column for this run
	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		served := serveDriver(t, openDriver(t, local.Config{NoSync: true}), opts...)
		bucket, err := storage.Wrap(served, func(c storage.Core) storage.Core { return passingCore{c} })
		require.NoError(t, err)
		return bucket
	}, excluded()...)
}

// The driver passes the conformance suite of drivers.
func TestDriverConformance(t *testing.T) {
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		return openDriver(t, local.Config{NoSync: testing.Short()})
	}, append(excluded(), storagetest.WithOpener(serveDriver))...)
}

// A service of local directories passes the conformance suite of services.
func TestServiceConformance(t *testing.T) {
	storagetest.RunService(t, func(t *testing.T) storage.Service {
		s, err := local.NewService(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		return s
	}, excludedOfService()...)
}
