package cookbook

import (
	"archive/zip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve"
)

// listPhotos responds with a page in JSON. The client sends its token back for the next one.
func listPhotos(w http.ResponseWriter, r *http.Request, bucket storage.Lister) {
	page, err := storage.ListPage(r.Context(), bucket, r.URL.Query().Get("token"),
		storage.WithPrefix("photos/"), storage.WithPageSize(50))
	if storage.CodeOf(err) == storage.InvalidArgument { // the token is not one of ours
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

// zipObjects writes the objects as a ZIP archive to a response. No object is held in memory.
func zipObjects(ctx context.Context, w http.ResponseWriter, bucket storage.Downloader, keys []string) error {
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="objects.zip"`)
	archive := zip.NewWriter(w)
	for _, key := range keys {
		if err := zipObject(ctx, archive, bucket, key); err != nil {
			return err // the archive has no end, so that the client sees the failure
		}
	}
	return archive.Close()
}

func zipObject(ctx context.Context, archive *zip.Writer, bucket storage.Downloader, key string) error {
	reader, err := bucket.Download(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	file, err := archive.CreateHeader(&zip.FileHeader{Name: key, Modified: reader.Attrs().Modified, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = io.Copy(file, reader)
	return err
}

// servePhoto serves an object with ranges, ETag and conditional requests.
func servePhoto(w http.ResponseWriter, r *http.Request, bucket storage.Downloader) {
	serve.Object(w, r, bucket, "photos/"+r.PathValue("id"))
}

// putPhoto replaces the photo that the client has got: If-Match is the ETag of its GET. PreconditionFailed is 412.
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

// redirectToReport lets the store send the bytes, under a name that people can read.
func redirectToReport(w http.ResponseWriter, r *http.Request, bucket storage.SignedDownloader) {
	signed, err := bucket.SignedDownloadURL(r.Context(), "reports/2026-11.pdf",
		storage.WithTTL(5*time.Minute), storage.WithDownloadName("Report November.pdf"))
	if err != nil {
		http.Error(w, "the report is not available", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, signed.URL, http.StatusSeeOther)
}
