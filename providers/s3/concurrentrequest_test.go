package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A requestCounter makes functions for WithRequest. They count their calls, and write to their
// inputs a location and metadata that depend on the key of the object.
type requestCounter struct {
	puts, creations, parts, completions, gets atomic.Int64
}

// uploadOptions returns the functions for the requests of an upload.
func (c *requestCounter) uploadOptions() []storage.UploadOption {
	return []storage.UploadOption{
		s3.WithRequest(func(input *awss3.PutObjectInput) {
			c.puts.Add(1)
			input.WebsiteRedirectLocation = aws.String("/" + *input.Key)
			input.Metadata["own"] = *input.Key
		}),
		s3.WithRequest(func(input *awss3.CreateMultipartUploadInput) {
			c.creations.Add(1)
			input.WebsiteRedirectLocation = aws.String("/" + *input.Key)
			input.Metadata["own"] = *input.Key
		}),
		s3.WithRequest(func(input *awss3.UploadPartInput) {
			c.parts.Add(1)
			input.ExpectedBucketOwner = nil
		}),
		s3.WithRequest(func(input *awss3.CompleteMultipartUploadInput) {
			c.completions.Add(1)
			input.ExpectedBucketOwner = nil
		}),
	}
}

// downloadOption returns the function for the request of a download.
func (c *requestCounter) downloadOption() storage.DownloadOption {
	return s3.WithRequest(func(input *awss3.GetObjectInput) {
		c.gets.Add(1)
		input.ResponseContentType = aws.String("text/x-" + *input.Key)
	})
}

// Uploads and downloads at the same time can share their WithRequest options. Each call of an
// option's function gets an input of its own, which the function may change.
func TestWithRequestConcurrently(t *testing.T) {
	const (
		pairs        = 8 // of a small and a large object
		partSize     = 64 << 10
		partsOfLarge = 4
		sizeOfSmall  = 1000
		sizeOfLarge  = partsOfLarge * partSize
	)
	server, b := openBucketWithPartSize(t, partSize)
	small := wiretest.Content(sizeOfSmall, 1)
	large := wiretest.Content(sizeOfLarge, 2)

	// All uploads share these options and this map.
	var counter requestCounter
	sharedMetadata := map[string]string{"shared": "1"}
	uploadOpts := append(counter.uploadOptions(),
		storage.WithPartSize(partSize),
		storage.WithConcurrency(3),
		storage.WithMetadata(sharedMetadata),
	)
	downloadOpt := counter.downloadOption()

	// Upload and read small and large objects at the same time.
	uploadAndRead := func(key string, content []byte) {
		body := struct{ io.Reader }{bytes.NewReader(content)}
		_, err := b.Upload(t.Context(), key, body, uploadOpts...)
		if !assert.NoError(t, err) {
			return
		}
		got, attrs, err := storage.ReadAll(t.Context(), b, key, downloadOpt)
		if !assert.NoError(t, err) {
			return
		}
		assert.True(t, bytes.Equal(content, got), key)
		assert.Equal(t, "text/x-"+key, attrs.ContentType)
		assert.Equal(t, map[string]string{"own": key, "shared": "1"}, attrs.Metadata)
	}
	var group sync.WaitGroup
	for i := range pairs {
		group.Go(func() {
			uploadAndRead(fmt.Sprintf("small%d", i), small)
		})
		group.Go(func() {
			uploadAndRead(fmt.Sprintf("large%d", i), large)
		})
	}
	group.Wait()

	// Each function was called once for each request of its kind.
	require.EqualValues(t, pairs, counter.puts.Load(), "one PutObject for each small object")
	require.EqualValues(t, pairs, counter.creations.Load(), "one CreateMultipartUpload for each large object")
	require.EqualValues(t, pairs*partsOfLarge, counter.parts.Load())
	require.EqualValues(t, pairs, counter.completions.Load())
	require.EqualValues(t, 2*pairs, counter.gets.Load(), "one GetObject for each object")

	// The functions changed neither the map that all uploads share nor the input of another upload.
	require.Equal(t, map[string]string{"shared": "1"}, sharedMetadata)
	for _, r := range server.Requests() {
		if r.Operation == "PutObject" || r.Operation == "CreateMultipartUpload" {
			require.Equal(t, "/"+r.Key, r.Header.Get("X-Amz-Website-Redirect-Location"))
		}
	}
}

// openBucketWithPartSize starts a server that accepts parts of partSize bytes, and opens its bucket.
func openBucketWithPartSize(t *testing.T, partSize int64) (*s3server.Server, storage.Bucket) {
	t.Helper()
	server, err := s3server.Start(s3server.Config{
		Buckets:    []string{"photos"},
		Middleware: wiretest.OneRequestAConnection,
		Limits:     s3server.Limits{MinPartSize: partSize},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)

	profile, _ := s3.NamedProfile("aws")
	d, err := s3.NewDriver(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	b := engine.New(smallParts{Driver: d, least: partSize})
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return server, b
}
