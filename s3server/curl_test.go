package s3server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/s3server"
)

// curl can write and read objects of any key by presigned URLs, but only with the signed method.
func TestCurl(t *testing.T) {
	program := testserver.Program(t, "curl")
	s := startServer(t, s3server.Config{})
	sign := s3.NewPresignClient(s.Client)
	file := filepath.Join(t.TempDir(), "body")
	curl := func(arguments ...string) string {
		arguments = append([]string{"--silent", "--show-error", "--path-as-is", "--max-time", "20"}, arguments...)
		output, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
		require.NoError(t, err, string(output))
		return string(output)
	}

	for _, key := range everyKey {
		content := "content of " + key
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))

		// The signature covers the headers, so curl must send the same ones.
		put, err := sign.PresignPutObject(t.Context(), &s3.PutObjectInput{
			Bucket:      aws.String(bucket),
			Key:         &key,
			ContentType: aws.String("text/plain"),
			Metadata:    map[string]string{"a": "b"},
		})
		require.NoError(t, err)
		output := curl(
			"--request", "PUT",
			"--data-binary", "@"+file,
			"--header", "Content-Type: text/plain",
			"--header", "x-amz-meta-a: b",
			put.URL,
		)
		require.Empty(t, output, "%q", key)

		// Read the object at another URL.
		get, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		require.NoError(t, err)
		require.Equal(t, content, curl(get.URL), "%q", key)
	}

	// A request fails if its method is not the signed one.
	get, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("a"),
	})
	require.NoError(t, err)
	require.Contains(t, curl("--request", "DELETE", get.URL), "SignatureDoesNotMatch")
}
