package serve

import (
	"cmp"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// WithDownloadName makes a browser save the object under filename (Content-Disposition: attachment,
// RFC 6266). It replaces the disposition of the object and of the caller. If filename is "", the
// browser chooses the name. Any name is safe, because none of its bytes can end the header.
func WithDownloadName(filename string) Option {
	req := driver.SignRequest{ResponseName: filename}
	disposition := cmp.Or(req.ResponseDisposition(), "attachment")
	return option(func(o *options) {
		o.object.headers = append(o.object.headers, func(h http.Header, _ *storage.Attrs) {
			h.Set("Content-Disposition", disposition)
		})
	})
}
