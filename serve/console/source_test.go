package console_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// With Account as the source, the page shows all buckets of the account.
func TestSourceShowsAllBuckets(t *testing.T) {
	service := memstore.NewService(memstore.ServiceConfig{})
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	_, err := service.CreateBucket(t.Context(), "kept", storage.WithVersioning(true))
	require.NoError(t, err)
	_, err = service.CreateBucket(t.Context(), "plain")
	require.NoError(t, err)
	page, err := console.New(console.Account(service), console.Config{})
	require.NoError(t, err)

	fetch := func(target string) (status int, body string) {
		r := httptest.NewRequest("GET", origin+target, nil)
		r.Header.Set("X-Console", "1")
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}

	// The list has the labels of each bucket, and can begin after a bucket.
	_, body := fetch("/api/buckets")
	require.Regexp(t, `"name":"kept".*"labels":\["versions"\].*"name":"plain".*"labels":\[\]`, body)
	_, body = fetch("/api/buckets?after=kept")
	require.NotContains(t, body, `"kept"`)

	// The second request for a bucket uses the bucket that the first request has opened.
	for range 2 {
		_, body = fetch("/api/bucket?bucket=kept")
		require.Contains(t, body, `"versions":true`)
		_, body = fetch("/api/bucket?bucket=plain")
		require.Contains(t, body, `"versions":false`)
	}

	// A missing bucket is an error.
	status, _ := fetch("/api/list?bucket=none")
	require.Equal(t, 404, status)
}
