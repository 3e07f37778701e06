package serve_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
)

// curl sends a request without any header of its own. It prints the body and the
// status.
func curl(t *testing.T, body string, args ...string) string {
	t.Helper()
	args = append([]string{"--silent", "--globoff", "--path-as-is", "--write-out", "%{http_code}"}, args...)
	command := exec.CommandContext(t.Context(), testserver.Program(t, "curl"), args...)
	command.Stdin = strings.NewReader(body)
	var buf bytes.Buffer
	command.Stdout = &buf
	require.NoError(t, command.Run())
	return buf.String()
}

// curlSigned sends the request of a signed URL with the headers that belong to the URL.
func curlSigned(t *testing.T, u *storage.SignedURL, body string) string {
	t.Helper()
	args := []string{"--request", u.Method}
	if u.Method == "PUT" {
		args = append(args, "--data-binary", "@-")
	}
	for name, values := range u.Header {
		args = append(args, "--header", name+": "+values[0])
	}
	return curl(t, body, append(args, u.URL)...)
}

// Signed URLs, public URLs and signed forms work from curl, for keys of any characters.
func TestHandlerServesCurl(t *testing.T) {
	testserver.Slow(t)
	server, err := serve.NewServer(func(base string) (storage.Bucket, error) {
		return local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{
			Create: true,
			NoSync: true,
		}, storage.WithSigningBaseURL(base), storage.WithPublicAccess(true))
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	b := server.Bucket

	for _, key := range hostileKeys {
		// The signed URL creates the object once. curl prints the body of the response, and then
		// the status.
		put, err := b.SignedUploadURL(t.Context(), key, storage.WithSize(4), storage.IfAbsent(), storage.WithPublicRead(),
			storage.WithContentType("text/x-test"), storage.WithMetadata(map[string]string{"k": "caf\u00e9"}))
		require.NoError(t, err)
		require.Equal(t, "200", curlSigned(t, put, "text"), "%q", key)
		require.Contains(t, curlSigned(t, put, "text"), "PreconditionFailed", "%q", key)

		// The object has the attributes that the URL signs.
		attrs, err := b.Attrs(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, "text/x-test", attrs.ContentType)
		require.Equal(t, map[string]string{"k": "caf\u00e9"}, attrs.Metadata)

		// The object can be read by a signed URL and by the public one.
		get, err := b.SignedDownloadURL(t.Context(), key, storage.WithDownloadName("caf\u00e9.txt"))
		require.NoError(t, err)
		require.Equal(t, "text200", curlSigned(t, get, ""), "%q", key)
		public, err := b.PublicURL(key)
		require.NoError(t, err)
		require.Equal(t, "text200", curl(t, "", public), "%q", key)

		// A form replaces the object.
		form, err := storage.SignedUploadForm(t.Context(), b, key, 1, 9)
		require.NoError(t, err)
		var args []string
		for name, value := range form.Fields {
			args = append(args, "--form-string", name+"="+value)
		}
		require.Equal(t, "204", curl(t, "new text", append(args, "--form", "file=@-", form.URL)...),
			"%q", key)
		require.Equal(t, "new text200", curlSigned(t, get, ""), "%q", key)
	}
}
