package cookbook

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// listPhotos responds with one page of a listing in JSON. To get the next page, the client sends
// the token of this page.
func listPhotos(w http.ResponseWriter, r *http.Request, bucket storage.Lister) {
	page, err := storage.ListPage(r.Context(), bucket, r.URL.Query().Get("token"),
		storage.WithPrefix("photos/"), storage.WithPageSize(50))
	if storage.CodeOf(err) == storage.InvalidArgument { // the token is not one that a listing returned
		http.Error(w, "token is not valid", http.StatusBadRequest)
		return
	}
	if err != nil {
		http.Error(w, "the store does not respond", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page) // {"entries":[{"key":…,"size":…,"etag":…,"modified":…}],"token":…}
}

// sendAlbum sends the objects below a prefix as one archive, without holding an object in memory. If an object cannot
// be read, the response ends before its Content-Length.
func sendAlbum(w http.ResponseWriter, r *http.Request, bucket storage.Bucket, prefix string) {
	album := storage.Prefixed(bucket, prefix)
	serve.Zip(w, r, album, album.List(r.Context()), serve.WithDownloadName("album.zip"))
}

// servePhoto serves an object with ranges, ETag and conditional requests.
func servePhoto(w http.ResponseWriter, r *http.Request, bucket storage.Downloader) {
	serve.Object(w, r, bucket, "photos/"+r.PathValue("id"))
}

// putPhoto replaces a photo. The client has read the photo before, and If-Match has the ETag that
// it got. Respond to PreconditionFailed with the status 412.
func putPhoto(r *http.Request, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	attrs, err := bucket.Attrs(r.Context(), key)
	if err != nil {
		return nil, err
	}
	if attrs.ETag != r.Header.Get("If-Match") {
		return nil, storage.PreconditionFailed
	}
	return bucket.Upload(r.Context(), key, r.Body, storage.IfRevision(attrs.Revision))
}

// redirectToReport redirects the client to the store. The browser saves the report with a name that
// people understand.
func redirectToReport(w http.ResponseWriter, r *http.Request, bucket storage.SignedDownloader) {
	link, err := bucket.SignedDownloadURL(r.Context(), "reports/2026-11.pdf",
		storage.WithTTL(5*time.Minute), storage.WithDownloadName("Report November.pdf"))
	if err != nil {
		http.Error(w, "the report is not available", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, link.URL, http.StatusSeeOther)
}
