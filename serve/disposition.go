package serve

import (
	"net/http"

	"github.com/omnibucket/storage"
)

// WithDownloadName has a browser save the object under this name
// (Content-Disposition: attachment, RFC 6266), whatever the object or the caller
// says; "" leaves the name to the browser. Any name is safe: no byte of it can
// end the header.
func WithDownloadName(filename string) Option {
	asked := storage.SignRequest{ResponseName: filename}
	disposition := asked.ResponseDisposition()
	if disposition == "" {
		disposition = "attachment"
	}
	return option(func(o *options) {
		o.headers = append(o.headers, func(h http.Header, _ *storage.Attrs) {
			h.Set("Content-Disposition", disposition)
		})
	})
}
