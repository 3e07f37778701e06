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
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// Uploads that run at the same time may share options with WithRequest. Each call of a function
// gets an input that no other goroutine uses.
func TestWithRequestConcurrently(t *testing.T) {
	server, err := s3server.Start(s3server.Config{
		Buckets:    []string{"photos"},
		Middleware: wiretest.OneRequestAConnection,
		Limits:     s3server.Limits{MinPartSize: 64 << 10},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("aws")
	driver, err := s3.NewDriver(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	b := engine.New(smallParts{driver, 64 << 10})
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	var puts, begins, parts, completions, gets atomic.Int64
	values := map[string]string{"all": "1"}
	write := []storage.UploadOption{
		s3.WithRequest(func(input *awss3.PutObjectInput) {
			puts.Add(1)
			input.WebsiteRedirectLocation = aws.String("/" + *input.Key)
			input.Metadata["own"] = *input.Key
		}),
		s3.WithRequest(func(input *awss3.CreateMultipartUploadInput) {
			begins.Add(1)
			input.WebsiteRedirectLocation = aws.String("/" + *input.Key)
			input.Metadata["own"] = *input.Key
		}),
		s3.WithRequest(func(input *awss3.UploadPartInput) {
			parts.Add(1)
			input.ExpectedBucketOwner = nil
		}),
		s3.WithRequest(func(input *awss3.CompleteMultipartUploadInput) {
			completions.Add(1)
			input.ExpectedBucketOwner = nil
		}),
		storage.WithPartSize(64 << 10), storage.WithConcurrency(3), storage.WithMetadata(values),
	}
	opts := []storage.DownloadOption{s3.WithRequest(func(input *awss3.GetObjectInput) {
		gets.Add(1)
		input.ResponseContentType = aws.String("text/x-" + *input.Key)
	})}
	small := wiretest.Content(1000, 1)
	large := wiretest.Content(4*(64<<10), 2)
	const each = 8
	var group sync.WaitGroup
	errs := make([]error, 2*each)
	for i := range errs {
		group.Go(func() {
			key := fmt.Sprintf("small%d", i)
			content := small
			if i%2 == 1 {
				key = fmt.Sprintf("large%d", i)
				content = large
			}
			_, errs[i] = b.Upload(t.Context(), key, struct{ io.Reader }{bytes.NewReader(content)}, write...)
			if errs[i] != nil {
				return
			}
			got, attrs, err := storage.ReadAll(t.Context(), b, key, opts...)
			switch {
			case err != nil:
				errs[i] = err
			case !bytes.Equal(content, got):
				errs[i] = fmt.Errorf("%s has other bytes", key)
			case attrs.ContentType != "text/x-"+key:
				errs[i] = fmt.Errorf("%s has the type %s", key, attrs.ContentType)
			case attrs.Metadata["own"] != key || attrs.Metadata["all"] != "1":
				errs[i] = fmt.Errorf("%s has the metadata %v", key, attrs.Metadata)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}

	require.Equal(t, map[string]string{"all": "1"}, values, "the caller's")
	require.EqualValues(t, each, puts.Load())
	require.EqualValues(t, each, begins.Load())
	require.EqualValues(t, 4*each, parts.Load())
	require.EqualValues(t, each, completions.Load())
	require.EqualValues(t, 2*each, gets.Load())

	for _, r := range server.Requests() {
		if r.Operation == "PutObject" || r.Operation == "CreateMultipartUpload" {
			require.Equal(t, "/"+r.Key, r.Header.Get("X-Amz-Website-Redirect-Location"), "of its own request")
		}
	}
}
