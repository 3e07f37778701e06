package uploads_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// upload.js passes its own tests in Node.js, against a real handler.
func TestScript(t *testing.T) {
	testserver.Slow(t)

	// A server has the handler, the signed URLs of its bucket, and the stored files.
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	bucket := memstore.New(storage.WithSigningBaseURL(server.URL + "/store"))
	handler, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(0),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "somebody"}, nil },
		Begin: func(_ *http.Request, _ uploads.User, request uploads.Request) (*uploads.Target, error) {
			if request.Type == "application/x-refused" {
				return nil, &uploads.Error{Code: uploads.Refused, Message: "This type is not wanted."}
			}
			return &uploads.Target{Key: "files/" + request.Name}, nil
		},
	})
	require.NoError(t, err)
	handler.SetBasePart(1 << 20)
	mux.Handle("/uploads/", http.StripPrefix("/uploads", handler))
	mux.Handle("/store/", serve.NewHandler(bucket))
	mux.Handle("/objects/", http.StripPrefix("/objects/", serve.FileServer(bucket)))

	// Node.js runs the tests of the script, which get the address of the handler.
	cmd := exec.CommandContext(t.Context(), testserver.Program(t, "node"), "--test", "testdata/upload.test.mjs")
	cmd.Env = append(os.Environ(), "OMNIBUCKET_ENDPOINT="+server.URL+"/uploads")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// Script serves the file upload.js.
func TestScriptIsServed(t *testing.T) {
	server := httptest.NewServer(uploads.Script())
	defer server.Close()

	resp, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "text/javascript; charset=utf-8", resp.Header.Get("Content-Type"))

	file, err := os.ReadFile("js/upload.js")
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, string(file), string(text))
}
