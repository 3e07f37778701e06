package s3command

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// The access log has a line for each request, and no secret.
func TestAccessLogLines(t *testing.T) {
	const (
		key        = "a\nb"
		keyPattern = `"a\\nb"` // matches the key as the log quotes it
	)
	name := filepath.Join(t.TempDir(), "log")
	server := startServer(t, environment(), "--create", "photos", "--access-log", name)
	exported := server.export()
	c := newClient(t)

	// Send a PUT, a presigned GET, and a GET that is refused because it is not signed.
	putObject(t, c, "photos", key, "hello")
	presigned, err := s3.NewPresignClient(c).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("photos"),
		Key:    aws.String(key),
	})
	require.NoError(t, err)
	status, body := sendUnsigned(t, http.MethodGet, presigned.URL)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", body)
	status, _ = sendUnsigned(t, http.MethodGet, server.url+"/photos/none?x-secret=1")
	require.Equal(t, http.StatusForbidden, status)
	server.stop()

	// Each request has a line.
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 3, string(text))

	// The lines are in the order of the requests.
	accessKey := exported["AWS_ACCESS_KEY_ID"]
	require.Regexp(t, `^time=\S+Z remote=127\.0\.0\.1:\d+ access_key=`+accessKey+` method=PUT operation=PutObject `+
		`bucket=photos object=`+keyPattern+` status=200 .*received=\d+ sent=0 seconds=0\.`, lines[0])
	require.Regexp(t, `method=GET operation=GetObject bucket=photos object=`+keyPattern+
		` status=200 error="" received=0 sent=5 `, lines[1])
	require.Regexp(t, `access_key="" .*status=403 error=AccessDenied`, lines[2])

	// No secret is in the log, which only its owner may read.
	for _, secret := range []string{exported["AWS_SECRET_ACCESS_KEY"], "X-Amz", "Signature", "x-secret"} {
		require.NotContains(t, string(text), secret)
	}
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

// With --access-log=-, the access log goes to standard error.
func TestAccessLogToStandardError(t *testing.T) {
	credentials := environment("AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s")
	server := startServer(t, credentials, "--access-log", "-")

	sendUnsigned(t, http.MethodGet, server.url+"/")
	server.stop()

	require.Regexp(t, `^time=\S+ .*operation=ListBuckets .*status=403 .*\n$`, server.stderr.String())
}
