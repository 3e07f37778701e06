//go:build !race || omnibucket_sdks

// The SDKs of the stores are nine hundred packages. Building them for the race detector takes longer than all tests of
// this package. So with the race detector, these tests are built only with the tag omnibucket_sdks.

package transfer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// servers are the test servers between which files are moved. The function address returns the
// address of an account on the server.
var servers = []struct {
	name    string
	address func(t *testing.T, endpoint string) (scheme, query string)
}{
	{
		name: "MINIO",
		address: func(t *testing.T, endpoint string) (string, string) {
			t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
			t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
			return "s3", url.Values{"region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {endpoint}}.Encode()
		},
	},
	{
		name: "GCS",
		address: func(_ *testing.T, endpoint string) (string, string) {
			return "gs", url.Values{"anonymous": {"true"}, "project": {"project"}, "endpoint": {endpoint}}.Encode()
		},
	},
	{
		name: "AZURITE",
		address: func(t *testing.T, endpoint string) (string, string) {
			t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
			t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
			return "azblob", url.Values{"account": {os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")}, "endpoint": {endpoint}}.Encode()
		},
	},
}

// serverStops returns a bucket on each running server.
func serverStops(t *testing.T) []stop {
	t.Helper()
	var stops []stop
	for _, s := range servers {
		endpoint := testserver.Offered(t, "OMNIBUCKET_TEST_"+s.name)
		if endpoint == "" {
			continue
		}
		scheme, query := s.address(t, endpoint)
		stops = append(stops, stop{s.name, transfer.Bucket(newFreshBucket(t, scheme, query))})
	}
	return stops
}

var bucketNumber atomic.Int64

// newFreshBucket creates a bucket. It is not removed, because the servers end with the
// tests and Azurite takes longer to remove a large tree than to store it.
func newFreshBucket(t *testing.T, scheme, query string) storage.Bucket {
	t.Helper()
	b, err := storage.Open(t.Context(), newFreshAddress(t, scheme, query))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// newFreshAddress creates a bucket, and returns its address.
func newFreshAddress(t *testing.T, scheme, query string) string {
	t.Helper()
	service, err := storage.OpenService(t.Context(), scheme+"://?"+query)
	require.NoError(t, err)
	name := fmt.Sprintf("omnibucket-transfer-%d-%d", os.Getpid(), bucketNumber.Add(1))
	_, err = service.CreateBucket(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, service.Close())
	return scheme + "://" + name + "?" + query
}

// A tree of files is synced from one store to the next, through a bucket on each running server,
// and back into a directory. At the end, it is unchanged. "make test-all" starts all servers.
func TestTreeComesBackIdenticalThroughServers(t *testing.T) {
	onServers := serverStops(t)
	if len(onServers) == 0 {
		testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	}
	files, largest := treeSize(t, 200, 20<<20)
	tree := plantTree(t, files, largest)
	lastDir := t.TempDir()

	// Some files of the tree change whenever the first store reads them, and stores refuse the
	// names of other files. The remaining files are in tree.good. Only these reach the last
	// directory.
	stops := []stop{{"local", transfer.Bucket(newLocalBucket(t, tree.meddling(t)))}}
	stops = append(stops, onServers...)
	stops = append(stops, stop{"memory", transfer.Bucket(memstore.New())}, stop{"a directory", transfer.Dir(lastDir)})
	syncRound(t, tree, stops)

	require.Equal(t, tree.good, fingerprints(t, lastDir))
	requireTimes(t, tree, lastDir)
}

// Expire aborts old uploads on each server, and fails with Unsupported on MinIO, which does not list uploads.
func TestExpireAbortsUploadsOnServers(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			scheme, query := s.address(t, testserver.Need(t, "OMNIBUCKET_TEST_"+s.name))
			b := newFreshBucket(t, scheme, query)
			if !storage.Supports(b, storage.ListedUploads) {
				_, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{UploadsAge: day}})
				require.ErrorIs(t, err, storage.Unsupported)
				return
			}

			// Begin three uploads, two of them under the prefix of the rule.
			for _, key := range []string{"incoming/a", "incoming/b", "other"} {
				upload, err := storage.BeginUpload(t.Context(), b, key)
				require.NoError(t, err)
				_, err = upload.PutPart(t.Context(), 1, strings.NewReader("part"))
				require.NoError(t, err)
			}

			rules := []transfer.ExpireRule{{Prefix: "incoming/", UploadsAge: day}}
			report, err := transfer.Expire(t.Context(), b, rules)
			require.NoError(t, err)
			require.Zero(t, report.Aborted, "the uploads are not old enough")

			later := func() time.Time { return time.Now().Add(2 * day) }
			report, err = transfer.Expire(t.Context(), b, rules, transfer.WithNow(later))
			require.NoError(t, err)
			require.Equal(t, int64(2), report.Aborted)
			require.Equal(t, []string{"other"}, openUploads(t, b))
		})
	}
}

// Processes move files from one bucket to another and back, and are killed at any moment. No file
// is lost. MinIO is left out: like all servers of S3, it cannot remove an object on the condition
// that a certain write has made it.
func TestMoveToAndFroBetweenServers(t *testing.T) {
	const killAfter = 4 * time.Second // long enough for whole rounds on a slow server
	for _, server := range servers {
		if server.name == "MINIO" {
			continue
		}

		// newServerAddress returns the address of the server. For fake-gcs-server it is the address
		// of a new proxy, which heeds the conditions of removals. Buckets with the same address are
		// in one service.
		newServerAddress := func(t *testing.T) (scheme, query string) {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_"+server.name)
			if server.name == "GCS" {
				endpoint = startConditionProxy(t, endpoint)
			}
			return server.address(t, endpoint)
		}

		t.Run(server.name, func(t *testing.T) {
			scheme, query := newServerAddress(t)
			addresses := []string{newFreshAddress(t, scheme, query), newFreshAddress(t, scheme, query)}
			moveAndKill(t, addresses, killAfter)
		})
		t.Run(server.name+" and a directory", func(t *testing.T) {
			scheme, query := newServerAddress(t)
			addresses := []string{t.TempDir(), newFreshAddress(t, scheme, query)}
			moveAndKill(t, addresses, killAfter)
		})
	}
}

// startConditionProxy returns the address of a proxy in front of fake-gcs-server. That server
// removes an object whatever the condition says. So the proxy names the generation in the request
// instead, and the server removes only this generation.
func startConditionProxy(t *testing.T, endpoint string) string {
	t.Helper()
	server, err := url.Parse(endpoint)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			query := r.Out.URL.Query()
			if r.Out.Method == http.MethodDelete && query.Has("ifGenerationMatch") {
				query.Set("generation", query.Get("ifGenerationMatch"))
				r.Out.URL.RawQuery = query.Encode()
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusNotFound && resp.Request.URL.Query().Has("ifGenerationMatch") {
				resp.StatusCode = http.StatusPreconditionFailed
				resp.Status = "412 Precondition Failed"
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { // the client was killed
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL
}
