package uploads_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

const galleryPictures = 100

// Private pictures with stable URLs are read once: when their page is viewed again, the browser
// asks the store for nothing. With other signed URLs, it asks for all pictures again.
func TestBrowserKeepsPrivatePictures(t *testing.T) {
	testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM")
	b := startBrowser(t)
	for _, store := range browserStores {
		t.Run(store.name, func(t *testing.T) {
			gallery := &wire{}
			address := serveWire(t, gallery)
			bucket, storeRequests := openCounted(t, store, address)
			storePictures(t, bucket, store.name)

			// viewPage opens a page, and returns the number of requests to the store.
			viewPage := func(path string) (requests int64) {
				storeRequests.Store(0)
				tab := b.open(t, address+path, "")
				defer tab.close()
				require.EqualValues(t, galleryPictures, countShown(t, tab), path)
				return storeRequests.Load()
			}

			tests := []struct {
				path           string
				opts           []storage.SignedDownloadOption
				wantSecondView int64 // requests to the store
			}{
				{
					path:           "/stable",
					opts:           []storage.SignedDownloadOption{storage.WithStableFor(24 * time.Hour)},
					wantSecondView: 0,
				},
				{path: "/other", wantSecondView: galleryPictures},
			}
			for _, tt := range tests {
				gallery.next = newGallery(t, bucket, tt.opts)

				// The first view asks for all pictures.
				require.EqualValues(t, galleryPictures, viewPage(tt.path), tt.path)
				waitForNextSecond(t) // signed URLs of the same second are equal
				require.Equal(t, tt.wantSecondView, viewPage(tt.path), tt.path)
			}
		})
	}
}

// openCounted creates a bucket for scripts of the page, and counts the requests to its store.
func openCounted(t *testing.T, store browserStore, page string) (storage.Bucket, *atomic.Int64) {
	t.Helper()
	toStore := &wire{}
	storeURL := serveWire(t, toStore)
	bucket := openForPage(t, store, page, storeURL, toStore)

	var requests atomic.Int64
	handler := toStore.next
	toStore.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler.ServeHTTP(w, r)
	})
	return bucket, &requests
}

func picture(number int) string { return fmt.Sprintf("pictures/%03d.png", number) }

// storePictures stores the pictures of the gallery, each of one gray pixel.
func storePictures(t *testing.T, bucket storage.Bucket, store string) {
	t.Helper()
	opts := []storage.UploadOption{storage.WithContentType("image/png")}
	if store == "gcs" { // Google replaces no Cache-Control
		opts = append(opts, storage.WithCacheControl("private, max-age=86400"))
	}
	for number := range galleryPictures {
		dot := image.NewRGBA(image.Rect(0, 0, 1, 1))
		dot.Set(0, 0, color.Gray{uint8(number)})
		var body bytes.Buffer
		require.NoError(t, png.Encode(&body, dot))
		_, err := bucket.Upload(t.Context(), picture(number), &body, opts...)
		require.NoError(t, err)
	}
}

// newGallery returns a page with the pictures. On each view, a URL is signed for each picture.
func newGallery(t *testing.T, bucket storage.SignedDownloader, opts []storage.SignedDownloadOption) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "no-store")
		for number := range galleryPictures {
			signedURL, err := bucket.SignedDownloadURL(r.Context(), picture(number), opts...)
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(w, "<img src=%q>\n", signedURL.URL)
		}
		fmt.Fprint(w, "<script>onload = () => { window.ready = true }</script>")
	})
}

// countShown returns how many pictures the page shows.
func countShown(t *testing.T, tab *tab) (n int64) {
	t.Helper()
	text := tab.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth === 1).length")
	_, err := fmt.Sscan(string(text), &n)
	require.NoError(t, err)
	return n
}

func waitForNextSecond(t *testing.T) {
	t.Helper()
	second := time.Now().Unix()
	require.Eventually(t, func() bool { return time.Now().Unix() > second }, 5*time.Second, 10*time.Millisecond)
}
