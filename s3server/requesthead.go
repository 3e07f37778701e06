package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const (
	// maxRequestHead is the size of a request without its body that [Start] reads.
	maxRequestHead = 64 << 10
	maxURI         = 16 << 10 // room for a signed URL of a long key
)

// checkHead refuses a request line and headers that are larger than the limits. An
// [http.Server] of a caller may let pass more than Start's.
func checkHead(r *request) error {
	if len(r.URL.Path) > maxURI || len(r.URL.RawQuery) > maxURI {
		e := s3error.New("InvalidURI")
		e.Status = http.StatusRequestURITooLong
		return e
	}
	size := 0
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > r.server.limits.MaxHeader {
		return s3error.New("RequestHeaderSectionTooLarge")
	}
	return nil
}
