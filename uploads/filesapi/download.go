package filesapi

import (
	"context"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
)

// downloadFile sends the content of a client file.
func (h *handler) downloadFile(c *call) error { return h.download(c, clientFile) }

// downloadTempFile sends the content of a temp file.
func (h *handler) downloadTempFile(c *call) error { return h.download(c, tempFile) }

// download sends the content of a temp file if temp is true, and otherwise of a client file.
func (h *handler) download(c *call, temp bool) error {
	header := c.w.Header()
	// A browser that opens an HTML file must not run it as a page of this host.
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cache-Control", "private, no-cache")
	files := &recordDownloader{header: header, service: h.service, temp: temp}
	serve.Object(c.w, c.Request, files, c.PathValue("id"), serve.WithErrorHandler(h.downloadFailed))
	return nil
}

// downloadFailed responds with an error in place of a file.
func (h *handler) downloadFailed(w http.ResponseWriter, r *http.Request, status int, err error) {
	w.Header().Del("Content-Security-Policy")
	w.Header().Set("Cache-Control", "no-store")
	c := &call{Request: r, w: w}
	if status == http.StatusRequestedRangeNotSatisfiable {
		rangeErr := invalid("Range", "The range is past the end of the file.")
		rangeErr.Status = status
		h.fail(c, rangeErr)
		return
	}
	h.fail(c, err)
}

// A recordDownloader opens a file, and sets the response headers from its record. serve.Object does
// not replace headers that Download has set.
type recordDownloader struct {
	header  http.Header
	service *uploads.Service
	temp    bool
}

var _ storage.Downloader = (*recordDownloader)(nil)

// Download opens the file with this ID, and sets its headers. A temp file counts as missing where a client file
// is wanted, and the other way round.
func (d *recordDownloader) Download(
	ctx context.Context, id string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	reader, f, err := d.service.Download(ctx, id, opts...)
	if err != nil {
		return nil, clientError(err)
	}
	isTemp := !f.Expires.IsZero()
	if isTemp != d.temp {
		_ = reader.Close()
		return nil, notFound()
	}

	req := driver.SignRequest{ResponseName: f.Name}
	d.header.Set("Content-Disposition", req.ResponseDisposition())
	d.header.Set("Content-Type", f.ContentType)
	return reader, nil
}
