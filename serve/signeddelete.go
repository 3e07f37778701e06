package serve

import (
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
)

// remove removes the object or version that the URL was signed for. As on S3, a missing object is
// not an error.
func (h *handler) remove(w http.ResponseWriter, r *http.Request, key string) *failure {
	grant, f := h.verify(r, r.Method, key)
	if f != nil {
		return f
	}
	for _, name := range [...]string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if headertext.Lines(r.Header, name) != "" {
			// A removal cannot enforce a condition.
			return errCondition
		}
	}

	var opts []storage.RemoveOption
	if grant.Version != "" {
		opts = append(opts, storage.WithVersion(grant.Version))
	}
	err := h.bucket.Remove(r.Context(), key, opts...)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return failureOf(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
