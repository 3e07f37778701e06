package console_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/consoletest"
	"github.com/omnibucket/storage/internal/testing/pagetest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/serve/console"
)

// browserSite serves the page of a bucket until the test ends. The objects of the bucket have
// another origin than the page.
func browserSite(t *testing.T, name string, b storage.Bucket, write bool) string {
	t.Helper()
	// The page must know the URL of the server for the objects, and that server needs the handler
	// of the page. So the server starts first, and gets the handler later.
	var mu sync.Mutex
	var content http.Handler
	contentServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		handler := content
		mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(contentServer.Close)

	page, err := console.New(
		console.One(storage.BucketInfo{Name: name}, b),
		console.Config{Write: write, ContentURL: contentServer.URL},
	)
	require.NoError(t, err)
	mu.Lock()
	content = page.Content()
	mu.Unlock()

	pageServer := httptest.NewServer(page)
	t.Cleanup(pageServer.Close)
	return pageServer.URL + "/"
}

// newSigningBucket returns a bucket that open makes. A server serves the signed links of the bucket
// until the test ends.
func newSigningBucket(t *testing.T, open func(opts ...storage.OpenOption) storage.Bucket) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(func(baseURL string) (storage.Bucket, error) {
		return open(storage.WithSigningBaseURL(baseURL)), nil
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

var everything = consoletest.Features{
	Versions:   true,
	Undelete:   true,
	Tags:       true,
	Sign:       true,
	Resume:     true,
	Conditions: true,
	Metadata:   true,
}

func versioned(opts ...storage.OpenOption) storage.Bucket {
	return memstore.New(append(opts, storage.WithVersioning(true))...)
}

// The actions of the page work in a browser.
func TestBrowserActions(t *testing.T) {
	b := newSigningBucket(t, versioned)
	putAll(t, b)
	consoletest.Browse(
		t,
		"testdata/flow.mjs",
		"actions",
		everything,
		browserSite(t, "photos", b, true),
		map[string]any{"files": consoletest.Files(t)},
	)
}

// In a browser, the page shows buckets that are full, empty, read-only or without features.
func TestBrowserStates(t *testing.T) {
	const mayWrite = true
	signing := newSigningBucket(t, versioned)
	putAll(t, signing)
	plain, err := local.Open(t.TempDir(), local.Config{})
	require.NoError(t, err)
	putAll(t, plain)

	// The steps "states" of the script visit the page of each of these buckets and check what it shows.
	consoletest.Browse(
		t,
		"testdata/flow.mjs",
		"states",
		everything,
		browserSite(t, "photos", signing, mayWrite),
		map[string]any{
			"empty":         browserSite(t, "empty", memstore.New(), mayWrite),
			"readOnly":      browserSite(t, "photos", signing, !mayWrite),
			"readOnlyEmpty": browserSite(t, "empty", memstore.New(), !mayWrite),
			"plain":         browserSite(t, "plain", plain, mayWrite),
		},
	)
}

// In a browser, hostile keys and contents do no harm, even if objects have the same origin as the page. The browser
// opens the page of a bucket with hostile objects.
func TestBrowserAttacks(t *testing.T) {
	b := newSigningBucket(t, versioned)
	putAll(t, b)

	// This page and its objects have the same origin. The page of browserSite has its objects at
	// another origin.
	page, err := console.New(console.One(storage.BucketInfo{Name: "photos"}, b), console.Config{Write: true})
	require.NoError(t, err)
	server := httptest.NewServer(page)
	defer server.Close()

	const mayWrite = true
	tests := []struct{ name, url string }{
		{name: "another origin", url: browserSite(t, "photos", b, mayWrite)},
		{name: "the page's origin", url: server.URL + "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The steps "attacks" of the script open each of the hostile objects, and fail if one of them does harm.
			consoletest.Browse(t, "testdata/flow.mjs", "attacks", everything, tt.url, nil)
		})
	}
}

// In a browser, the page shows the beginning of a list of 100,000 keys.
func TestBrowserManyKeys(t *testing.T) {
	const (
		workers  = 4
		keys     = 100_000
		pageSize = 1000
		mayWrite = true
	)

	// Several goroutines store the objects, because one would take long.
	b := memstore.New()
	var wg sync.WaitGroup
	for first := range workers {
		wg.Go(func() {
			for i := first; i < keys; i += workers {
				_, _ = b.Upload(t.Context(), fmt.Sprintf("picture %06d.jpg", i), strings.NewReader("x"))
			}
		})
	}
	wg.Wait()

	// For comparison, log how long one page takes without a browser.
	start := time.Now()
	count := 0
	for _, err := range b.List(t.Context(), storage.WithDelimiter("/")) {
		require.NoError(t, err)
		count++
		if count == pageSize {
			break
		}
	}
	t.Logf("the store lists 1,000 keys in %v", time.Since(start))

	// The steps "many" of the script list, sort and search the keys.
	consoletest.Browse(
		t,
		"testdata/flow.mjs",
		"many",
		consoletest.Features{Resume: true, Conditions: true, Tags: true, Metadata: true},
		browserSite(t, "many", b, mayWrite),
		nil,
	)
}

// The test opens a bucket with texts, sounds and photos in a browser, and takes the pictures of the documentation if
// OMNIBUCKET_DRAW is set.
func TestPictures(t *testing.T) {
	const mayWrite = true
	b := newSigningBucket(t, versioned)

	// The names and sizes are those of the documentation's pictures. The contents do not matter.
	text := func(lines int) []byte { return []byte(strings.Repeat("A line of text.\n", lines)) }
	objects := map[string][]byte{
		"Budget.csv":            text(210),
		"Campsites.json":        text(88),
		"Checklist.pdf":         text(14_000),
		"Ferry times.txt":       text(26),
		"Guest book.md":         text(310),
		"Hills and lakes.gpx":   text(3_400),
		"Insurance.pdf":         text(21_000),
		"Invoice 4711.pdf":      text(5_200),
		"Notes.md":              text(120),
		"Packing list.txt":      text(640),
		"Postcards.zip":         text(96_000),
		"Receipts.xlsx":         text(2_900),
		"Rain.wav":              consoletest.Sound(),
		"Songs by the fire.txt": text(75),
		"Waves.wav":             consoletest.Sound(),
		"Website.html":          text(51),
		"backup/one.txt":        text(1),
		"family/tree.md":        text(40),
		"films/list.txt":        text(9),
		"hills/one.txt":         text(1),
	}

	// Add ten photos.
	landscapes := pagetest.Landscapes(
		t,
		t.TempDir(),
		"Above the clouds.jpg",
		"Fog.jpg",
		"First snow.jpg",
		"Green valley.jpg",
		"Harbour.jpg",
		"Lake at dawn.jpg",
		"Last light.jpg",
		"Old bridge.jpg",
		"Summer storm.jpg",
		"Three peaks.jpg",
	)
	for _, path := range landscapes {
		content, err := os.ReadFile(path) //nolint:gosec // it is in the test's directory
		require.NoError(t, err)
		objects[filepath.Base(path)] = content
	}
	require.Len(t, objects, 30)

	for key, content := range objects {
		_, err := b.Upload(t.Context(), "2026/"+key, bytes.NewReader(content))
		require.NoError(t, err)
	}

	consoletest.Browse(
		t,
		"testdata/flow.mjs",
		"pictures",
		everything,
		browserSite(t, "photos", b, mayWrite),
		map[string]any{"name": "pictures", "drawTo": pagetest.DrawTo(t)},
	)
}

// putAll stores the objects that the tests in a browser use. They have metadata.
func putAll(t *testing.T, b storage.Bucket) {
	t.Helper()
	consoletest.Fill(t, func(key, contentType string, content []byte) {
		opts := []storage.UploadOption{
			storage.WithMetadata(map[string]string{"camera": "<b onclick=alert(1)>Box 2</b>"}),
		}
		if contentType != "" {
			opts = append(opts, storage.WithContentType(contentType))
		}
		_, err := b.Upload(t.Context(), key, bytes.NewReader(content), opts...)
		require.NoError(t, err)
	})
}
