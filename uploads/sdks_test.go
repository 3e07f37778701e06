//go:build omnibucket_sdks

// A build tag selects this file, because linking the SDKs of these providers takes four seconds of processor time.
// Only tests with a server need them.

package uploads_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

func init() {
	furtherBackends = []backend{{name: "our S3 server", open: openS3Server, etags: true}}
}

// openS3Server starts an s3server, and opens its only bucket.
func openS3Server(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	profile, _ := s3.NamedProfile("aws")
	srv, err := s3server.Start(s3server.Config{Buckets: []string{"files"}})
	require.NoError(t, err)
	t.Cleanup(srv.Close)

	bucket, err := s3.Open(t.Context(), s3.Config{
		Endpoint:    srv.URL,
		Bucket:      "files",
		Region:      s3server.DefaultRegion,
		PathStyle:   new(true),
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket
}
