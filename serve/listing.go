package serve

import (
	"html"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/objectkey"
)

const (
	listingHead = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
	listingTail = "</pre>\n"
	listingLost = "</pre>\n<p>The listing ends here: the rest could not be read.\n"
)

// list writes the entries of a directory while it reads the listing. If there are none, it returns
// false, except for the root, which may be empty. If it returns an error, it has written nothing.
func (f *fileServer) list(w http.ResponseWriter, r *http.Request, prefix string) (ok bool, _ error) {
	for entry, err := range f.options.listing.List(r.Context(), storage.WithPrefix(prefix), storage.WithDelimiter("/"), storage.WithAnyOrder()) {
		if err != nil && !ok {
			return false, err
		}
		if err != nil {
			_, _ = io.WriteString(w, listingLost)
			return true, nil
		}

		if objectkey.Hides(entry.Key, prefix) || evidence.IsKey(entry.Key) {
			continue
		}

		if !ok {
			beginListing(w)
			ok = true
		}
		if r.Method == http.MethodHead {
			return true, nil
		}
		if _, err := io.WriteString(w, line(strings.TrimPrefix(entry.Key, prefix))); err != nil {
			// The client has disconnected.
			return true, nil
		}
	}

	if prefix == "" && !ok {
		beginListing(w)
		ok = true
	}
	if ok {
		_, _ = io.WriteString(w, listingTail)
	}
	return ok, nil
}

func beginListing(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, listingHead)
}

// line returns the line of an entry. It returns "" if no URL can name the key: for a folder marker,
// or a key with "//" or "..".
func line(name string) string {
	if file := strings.TrimSuffix(name, "/"); path.Clean("/"+file) != "/"+file || file == "" {
		return ""
	}
	return `<a href="` + escape.Path(name) + `">` + html.EscapeString(name) + "</a>\n"
}
