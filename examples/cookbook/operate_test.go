package cookbook

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
)

// After ten nights with seven days kept, the eight newest backups are left: today's and those of seven days.
func TestBackUpKeepsDays(t *testing.T) {
	bucket := memstore.New()
	dir := t.TempDir()

	const keptDays = 7
	first := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)
	require.Error(t, backUp(t.Context(), bucket, dir, first, keptDays), "an empty directory")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a"), 0o600))
	for night := range 10 {
		require.NoError(t, backUp(t.Context(), bucket, dir, first.AddDate(0, 0, night), keptDays))
	}

	var keys []string
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	require.Len(t, keys, 8)
	require.Equal(t, "backups/2026-11-22/a.txt", keys[0])
}

// The origin serves a request only if it has the secret of the CDN. Without a secret, the origin serves none.
func TestOriginServesOnlyTheCDN(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "photos/2026/a.txt", strings.NewReader("a"))
	require.NoError(t, err)

	tests := []struct {
		name       string
		secret     string // of the origin
		sent       string // in the header of the request
		wantStatus int
	}{
		{name: "the secret", secret: "s", sent: "s", wantStatus: http.StatusOK},
		{name: "another secret", secret: "s", sent: "t", wantStatus: http.StatusForbidden},
		{name: "a request without a secret", secret: "s", sent: "", wantStatus: http.StatusForbidden},
		{name: "an origin without a secret", secret: "", sent: "", wantStatus: http.StatusForbidden},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/photos/2026/a.txt", nil)
		r.Header.Set("X-Origin-Secret", tt.sent)
		w := httptest.NewRecorder()
		origin(bucket, tt.secret).ServeHTTP(w, r)
		require.Equal(t, tt.wantStatus, w.Code, tt.name)
	}
}

// The journal of a tenant has the begin and the end of each change, and no reads.
func TestOpenTenantJournalsChanges(t *testing.T) {
	var text bytes.Buffer
	bucket, err := openTenant(t.Context(), "mem://tenants", "eva", slog.New(slog.NewTextHandler(&text, nil)))
	require.NoError(t, err)

	_, err = bucket.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.Empty(t, text.String())

	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("a"))
	require.NoError(t, err)
	require.Contains(t, text.String(), "msg=began tenant=eva operation=Upload key=tenants/eva/a")
	require.Contains(t, text.String(), "msg=ended tenant=eva operation=Upload key=tenants/eva/a err=<nil>")
}

// The address of the recipe signs URLs, and the handler serves them.
func TestSigningBaseURLInTheAddress(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	bucket, err := storage.Open(t.Context(),
		"file://"+t.TempDir()+"?signing_base_url=http://"+server.Listener.Addr().String()+"/store")
	require.NoError(t, err)
	server.Config.Handler = serve.NewHandler(bucket)
	server.Start()
	t.Cleanup(server.Close)

	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("a"))
	require.NoError(t, err)

	// Without credentials, a client downloads the object.
	signedURL, err := bucket.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	request, err := signedURL.Request(t.Context(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}
