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

// curl can write and read objects of any key by presigned URLs. If it uses another method than the signed one, the
// request fails.
func TestCurl(t *testing.T) {
	path := testserver.Program(t, "curl")
	s := startServer(t, s3server.Config{})
	sign := s3.NewPresignClient(s.Client)
	file := filepath.Join(t.TempDir(), "body")
	curl := func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), path,
			append([]string{"--silent", "--show-error", "--path-as-is", "--max-time", "20"}, arguments...)...)
		data, err := command.CombinedOutput()
		require.NoError(t, err, string(data))
		return string(data)
	}

	for _, key := range everyKey {
		input := putInput(key, "")
		input.Body = nil
		input.ContentType = aws.String("text/plain")
		input.Metadata = map[string]string{"a": "b"}
		put, err := sign.PresignPutObject(t.Context(), input)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, []byte("content of "+key), 0o600))

		text := curl("--request", "PUT", "--data-binary", "@"+file, "--header",
			"Content-Type: text/plain", "--header", "x-amz-meta-a: b", put.URL)
		require.Empty(t, text, "%q", key)
		get, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		require.NoError(t, err)
		require.Equal(t, "content of "+key, curl(get.URL), "%q", key)
	}

	get, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("a"),
	})
	require.NoError(t, err)
	require.Contains(t, curl("--request", "DELETE", get.URL), "SignatureDoesNotMatch")
}
