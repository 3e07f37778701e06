package filesapi_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
)

// A place is a kind of bucket that the store is tested on.
type place struct {
	name string
	// open creates an empty bucket, which is removed at the end of the test.
	open func(t *testing.T, opts ...storage.OpenOption) storage.Bucket
	// clocked also creates an empty bucket, and takes the clock of Attrs.Modified from now. It is
	// nil if a test cannot control that clock.
	clocked func(t *testing.T, now func() time.Time, opts ...storage.OpenOption) storage.Bucket
}

// places returns all kinds of buckets.
func places() []place {
	return []place{
		{
			name: "memory",
			open: func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket { return memstore.New(opts...) },
			clocked: func(_ *testing.T, now func() time.Time, opts ...storage.OpenOption) storage.Bucket {
				return engine.New(memstore.NewDriver(memstore.Config{Now: now}), opts...)
			},
		},
		{
			name:    "local",
			open:    func(t *testing.T, opts ...storage.OpenOption) storage.Bucket { return openDirectory(t, nil, opts...) },
			clocked: openDirectory,
		},
		{name: "minio", open: openMinIO},
	}
}

// openDirectory opens a bucket in a temporary directory. If now is nil, its clock is that of the system.
func openDirectory(t *testing.T, now func() time.Time, opts ...storage.OpenOption) storage.Bucket {
	bucket, err := local.Open(t.TempDir(), local.Config{NoSync: true, Now: now}, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket
}

// minioVariable names the address of a MinIO that "make test-all" starts.
const minioVariable = "OMNIBUCKET_TEST_MINIO"

var bucketNumber atomic.Int64

// openMinIO creates a bucket of MinIO, and removes it after the test.
func openMinIO(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	endpoint := testserver.Need(t, minioVariable)
	profile, ok := s3.NamedProfile("minio")
	require.True(t, ok)
	account, err := s3.NewService(t.Context(), s3.Config{
		Endpoint:    endpoint,
		Region:      "us-east-1",
		Profile:     &profile,
		AccessKeyID: os.Getenv(minioVariable + "_KEY"),
		SecretKey:   os.Getenv(minioVariable + "_SECRET"),
		// goleak would find an idle connection as a goroutine.
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	require.NoError(t, err)

	name := fmt.Sprintf("omnibucket-files-%d-%d", os.Getpid(), bucketNumber.Add(1))
	_, err = account.CreateBucket(t.Context(), name)
	require.NoError(t, err)
	b, err := account.Bucket(name, opts...)
	require.NoError(t, err)

	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		bucket, err := account.Bucket(name)
		require.NoError(t, err)
		_, err = storage.RemoveMatching(ctx, bucket, nil)
		require.NoError(t, err)
		require.NoError(t, account.DeleteBucket(ctx, name))
		require.NoError(t, account.Close())
	})
	return b
}
