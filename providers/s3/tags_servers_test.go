package s3_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A form stores its tags.
func TestSignedUploadFormTags(t *testing.T) {
	tags := map[string]string{"two words": "a+b=c", "k": "v:w"}
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		b := s.open(t, s.bucket(t, false))
		defer func() {
			require.NoError(t, storage.Close(b))
		}()
		form, err := storage.SignedUploadForm(t.Context(), b, "a", 0, 100, storage.WithTags(tags))
		require.NoError(t, err)

		require.Less(t, post(t, form), 300)
		got, err := storage.Tags(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, tags, got)

		delete(form.Fields, "tagging")
		require.GreaterOrEqual(t, post(t, form), 400, "without its tags")
	})
}

// post sends a form with a file, and returns the status.
func post(t *testing.T, form *storage.SignedForm) int {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		require.NoError(t, w.WriteField(name, value))
	}
	file, err := w.CreateFormFile("file", "a.txt")
	require.NoError(t, err)
	_, err = io.WriteString(file, "text")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, &body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	response, err := withoutKeepAlive().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
