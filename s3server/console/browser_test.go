package console_test

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/pagetest"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/s3server/console"
)

// hostile has keys that break a page that does not escape them. Any text can be a key.
var hostile = []string{
	"<img src=x onerror=document.title='run'>", "a\u202egpj.exe", "javascript:alert(1)",
	"Größe & \"Form\" 'ä' ☕",
}

// The console works in a browser, even with keys that a careless page would take for HTML.
func TestConsoleInBrowser(t *testing.T) {
	var requests console.Record
	server := s3server.ForTest(t, s3server.Config{
		Buckets:     []string{"empty", "many", "photos"},
		Log:         requests.Add,
		Credentials: []s3server.Credential{{AccessKeyID: "root", SecretKey: secret}},
	})
	require.NoError(t, server.SetUpBucket(t.Context(), s3server.BucketSetup{
		Name:       "photos",
		Versioning: true,
	}))
	photos := server.Bucket("photos")
	upload := func(b storage.Bucket, key, text string) {
		_, err := b.Upload(t.Context(), key, strings.NewReader(text))
		require.NoError(t, err)
	}

	// One object has two versions. Another object was written and is removed.
	for _, key := range append(hostile, "2026/june/lake.jpg", "2026/june/lake.jpg", "2026/july.jpg") {
		upload(photos, key, strings.Repeat("x", 100*len(key)))
	}
	require.NoError(t, photos.Remove(t.Context(), "2026/july.jpg"))
	for i := range 150 { // more than one page
		upload(server.Bucket("many"), "object "+strconv.Itoa(1000+i), "x")
	}

	site := httptest.NewServer(console.Handler(server.Handler, &requests))
	defer site.Close()

	// The script drives the browser, and checks the page.
	pagetest.Run(t, "console", "testdata/flow.mjs", map[string]any{
		"name":     "",
		"url":      site.URL + "/",
		"user":     "root",
		"password": secret,
		"s3":       server.URL,
		"hostile":  hostile,
	})
}
