package main

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// The transfer manager of AWS, with its defaults, uploads to our S3 server and reads the same bytes. It reads by
// part number.
func TestTransferManagerWithDefaults(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}, Strict: true})
	manager := transfermanager.New(s3.New(s3.Options{
		Region:       s3server.DefaultRegion,
		BaseEndpoint: aws.String(server.URL),
		UsePathStyle: true,
		HTTPClient:   server.Client(),
		Credentials:  credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID, s3server.DefaultSecretKey, ""),
	}))
	bucket := aws.String("photos")
	for name, size := range map[string]int{"empty": 0, "small": 1000, "in parts": 40<<20 + 1} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
			_, err := manager.UploadObject(t.Context(), &transfermanager.UploadObjectInput{
				Bucket: bucket,
				Key:    &name,
				Body:   bytes.NewReader(content),
			})
			require.NoError(t, err)

			// Read the object as a stream.
			object, err := manager.GetObject(t.Context(), &transfermanager.GetObjectInput{Bucket: bucket, Key: &name})
			require.NoError(t, err)
			data, err := io.ReadAll(object.Body)
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, data))

			// Read it into a file.
			file, err := os.Create(t.TempDir() + "/file")
			require.NoError(t, err)
			defer file.Close()
			_, err = manager.DownloadObject(t.Context(), &transfermanager.DownloadObjectInput{
				Bucket:   bucket,
				Key:      &name,
				WriterAt: file,
			})
			require.NoError(t, err)
			data, err = os.ReadFile(file.Name())
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, data))
		})
	}
}
