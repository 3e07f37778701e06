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
	name := filepath.Join(t.TempDir(), "log")
	server := start(t, environment(), "--create", "photos", "--access-log", name)
	exported := server.export()
	c := client(t)
	put(t, c, "photos", "a\nb", "hello")
	presigned, err := s3.NewPresignClient(c).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("photos"),
		Key:    aws.String("a\nb"),
	})
	require.NoError(t, err)

	status, body := ask(t, http.MethodGet, presigned.URL)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", body)

	status, _ = ask(t, http.MethodGet, server.url+"/photos/none?x-secret=1")
	require.Equal(t, http.StatusForbidden, status)
	server.stop()

	text, err := os.ReadFile(name)
	require.NoError(t, err)

	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 3, string(text))
	require.Regexp(t,
		`^time=\S+Z remote=127\.0\.0\.1:\d+ access_key=`+exported["AWS_ACCESS_KEY_ID"]+` method=PUT operation=PutObject bucket=photos object="a\\nb" status=200 .*received=\d+ sent=0 seconds=0\.`, lines[0])
	require.Regexp(t,
		`method=GET operation=GetObject bucket=photos object="a\\nb" status=200 error="" received=0 sent=5 `, lines[1])
	require.Regexp(t, `access_key="" .*status=403 error=AccessDenied`, lines[2])

	for _, secret := range []string{exported["AWS_SECRET_ACCESS_KEY"], "X-Amz", "Signature", "x-secret"} {
		require.NotContains(t, string(text), secret)
	}

	info, err := os.Stat(name)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

// The access log can go to standard error.
func TestAccessLogToStandardError(t *testing.T) {
	server := start(t, environment("AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s"),
		"--access-log", "-")
	ask(t, http.MethodGet, server.url+"/")
	server.stop()
	require.Regexp(t, `^time=\S+ .*operation=ListBuckets .*status=403 .*\n$`, server.errs.String())
}
