package gcs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	sdk "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/gcs"
)

// A testServer is the fake-gcs-server that "make test-all" has started (see
// testservers).
type testServer struct {
	endpoint string
	raw      *sdk.Client // a client of the SDK, for checks without the driver
}

// needServer returns the server. If there is none, it fails the test.
func needServer(t *testing.T) *testServer {
	t.Helper()
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_GCS")
	return &testServer{
		endpoint: endpoint,
		raw:      newSDKClient(t, endpoint, &http.Transport{DisableKeepAlives: true}),
	}
}

// newSDKClient returns a client of the SDK.
func newSDKClient(t *testing.T, endpoint string, transport *http.Transport) *sdk.Client {
	t.Helper()
	client, err := sdk.NewClient(context.Background(), option.WithHTTPClient(&http.Client{Transport: transport}),
		option.WithoutAuthentication(), option.WithEndpoint(endpoint+"/storage/v1/"))
	require.NoError(t, err)
	return client
}

// bucketNumber makes the names of buckets unique.
var bucketNumber atomic.Int64

// bucket makes an empty bucket, and removes it with its objects after the test.
func (s *testServer) bucket(t *testing.T, versioned bool) string {
	t.Helper()
	name := fmt.Sprintf("omnibucket-%d-%d", os.Getpid(), bucketNumber.Add(1))
	require.NoError(t,
		s.raw.Bucket(name).Create(t.Context(), "project", &sdk.BucketAttrs{VersioningEnabled: versioned}))
	t.Cleanup(func() { s.remove(t, name) })
	return name
}

// remove removes a bucket with all versions of its objects.
func (s *testServer) remove(t *testing.T, bucket string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // that of the test is done
	defer cancel()
	for _, o := range s.objects(ctx, t, bucket) {
		err := s.raw.Bucket(bucket).Object(o.Name).Generation(o.Generation).Delete(ctx)
		if !errors.Is(err, sdk.ErrObjectNotExist) {
			require.NoError(t, err)
		}
	}
	require.NoError(t, s.raw.Bucket(bucket).Delete(ctx))
}

// objects returns all versions of all objects in a bucket, including the driver's
// intermediate ones.
func (s *testServer) objects(ctx context.Context, t *testing.T, bucket string) []*sdk.ObjectAttrs {
	t.Helper()
	var all []*sdk.ObjectAttrs
	it := s.raw.Bucket(bucket).Objects(ctx, &sdk.Query{Versions: true})
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return all
		}
		require.NoError(t, err)
		all = append(all, o)
	}
}

// open opens a bucket of the server through the driver.
func (s *testServer) open(t *testing.T, c gcs.Config, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	c.Endpoint = s.endpoint
	bucket, err := gcs.Open(t.Context(), c, opts...)
	require.NoError(t, err)
	return bucket
}
