package resumable_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/resumable"
)

// TestAKeptConnectionWorksAfterAnUpload checks that the end of a body ends nothing else: a
// deadline that the server's own read of the connection meets cancels all later requests.
func TestAKeptConnectionWorksAfterAnUpload(t *testing.T) {
	handler, err := resumable.NewHandler(memstore.New(), resumable.Config{
		Authorize: func(*http.Request) (string, error) { return "somebody", nil },
		Begin: func(_ *http.Request, _ string, n resumable.NewUpload) (*resumable.Target, error) {
			return &resumable.Target{Key: n.Name}, nil
		},
	})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	client := server.Client()
	do := func(method, path, body string, header map[string]string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for name, value := range header {
			r.Header.Set(name, value)
		}
		response, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response
	}
	for i := range 300 {
		name := base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(i)))
		made := do("POST", "/tus/", "", map[string]string{"Upload-Length": "5", "Upload-Metadata": "filename " + name})
		require.Equal(t, http.StatusCreated, made.StatusCode, "upload %d", i)
		sent := do("PATCH", made.Header.Get("Location"), "hello", map[string]string{"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
		require.Equal(t, http.StatusNoContent, sent.StatusCode, "upload %d", i)
	}
}
