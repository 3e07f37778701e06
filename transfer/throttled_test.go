package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

// A job transfers every file to a server that throttles its requests.
func TestJobServerThrottles(t *testing.T) {
	testserver.Slow(t)
	const files, requestsPerSecond = 1000, 300
	dir := t.TempDir()
	for i := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("0123456789"), 0o600))
	}

	// The server refuses PutObject with SlowDown if more than requestsPerSecond arrive.
	server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown", Rate: requestsPerSecond})
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		PathStyle:   aws.Bool(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		Region:      s3server.DefaultRegion,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	report, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.EqualValues(t, files, report.Transferred)

	objects := 0
	for _, err := range b.List(t.Context()) {
		require.NoError(t, err)
		objects++
	}
	require.Equal(t, files, objects)
}
