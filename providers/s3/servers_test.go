package s3_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// A testServer is a real server that "make test-all" has started: see testservers.
type testServer struct {
	name     string // the profile's too
	endpoint string
	key      string
	secret   string
	client   *http.Client                      // of the driver; nil: its own
	raw      *awss3.Client                     // the SDK's own, for what the driver is not to be asked
	made     func(t *testing.T, bucket string) // called with each new bucket, if it is set
	retains  bool                              // made gives each bucket a default retention
}

// serverNames has the names of the servers with which the tests of the driver must pass.
var serverNames = []string{"minio", "versitygw"}

// needServer returns the server with a name, or fails the test.
func needServer(t *testing.T, name string) *testServer {
	t.Helper()
	variable := "OMNIBUCKET_TEST_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	s := &testServer{
		name:     name,
		endpoint: testserver.Need(t, variable),
		key:      os.Getenv(variable + "_KEY"),
		secret:   os.Getenv(variable + "_SECRET"),
	}
	s.raw = s.clientOver(withoutKeepAlive())
	return s
}

// withoutKeepAlive returns a client without idle connections, whose goroutines the suite
// would find.
func withoutKeepAlive() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// clientOver returns a client of the SDK.
func (s *testServer) clientOver(transport *http.Client) *awss3.Client {
	return awss3.New(awss3.Options{
		HTTPClient:   transport,
		Region:       "us-east-1",
		BaseEndpoint: &s.endpoint,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s.key, s.secret, ""),
	})
}

var bucketNumber atomic.Int64

// bucket creates an empty bucket, and removes it with its content after the test.
func (s *testServer) bucket(t *testing.T, versioned bool) string {
	t.Helper()
	name := fmt.Sprintf("omnibucket-%d-%d", os.Getpid(), bucketNumber.Add(1))
	_, err := s.raw.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
	t.Cleanup(func() { s.remove(t, name) })
	if versioned {
		_, err := s.raw.PutBucketVersioning(t.Context(), &awss3.PutBucketVersioningInput{
			Bucket: &name,
			VersioningConfiguration: &types.VersioningConfiguration{
				Status: types.BucketVersioningStatusEnabled,
			},
		})
		require.NoError(t, err)
	}
	if s.made != nil {
		s.made(t, name)
	}
	return name
}

// lockingBucket creates an empty bucket that can lock objects. The bucket is not removed, because
// its objects may be locked for a while.
func (s *testServer) lockingBucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("omnibucket-%d-%d", os.Getpid(), bucketNumber.Add(1))
	_, err := s.raw.CreateBucket(t.Context(), &awss3.CreateBucketInput{
		Bucket:                     &name,
		ObjectLockEnabledForBucket: aws.Bool(true),
	})
	require.NoError(t, err)
	if s.made != nil {
		s.made(t, name)
	}
	return name
}

// remove removes a bucket with all versions of its objects.
func (s *testServer) remove(t *testing.T, bucket string) {
	t.Helper()
	// The context of the test has ended, because remove is called at the end of the test.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	pages := awss3.NewListObjectVersionsPaginator(s.raw, &awss3.ListObjectVersionsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		for _, version := range page.Versions {
			s.removeVersion(ctx, t, bucket, version.Key, version.VersionId)
		}
		for _, marker := range page.DeleteMarkers {
			s.removeVersion(ctx, t, bucket, marker.Key, marker.VersionId)
		}
	}
	_, err := s.raw.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: &bucket})
	require.NoError(t, err)
}

// removeVersion removes a version of an object, even one with a retention.
func (s *testServer) removeVersion(ctx context.Context, t *testing.T, bucket string, key, version *string) {
	t.Helper()
	input := &awss3.DeleteObjectInput{Bucket: &bucket, Key: key, VersionId: version}
	if s.retains {
		input.BypassGovernanceRetention = aws.Bool(true)
	}
	_, err := s.raw.DeleteObject(ctx, input)
	require.NoError(t, err)
}

// uploads returns the number of unfinished multipart uploads of a key. MinIO lists them
// only for an exact key.
func (s *testServer) uploads(t *testing.T, bucket, key string) int {
	t.Helper()
	page, err := s.raw.ListMultipartUploads(context.WithoutCancel(t.Context()),
		&awss3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
	require.NoError(t, err)
	return len(page.Uploads)
}
