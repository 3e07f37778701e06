package serve

import (
	"html"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/layerkeys"
	"github.com/omnibucket/storage/internal/urlpath"
)

const (
	listingHead = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
	listingTail = "</pre>\n"
	listingLost = "</pre>\n<p>The listing ends here: the rest could not be read.\n"
)

// list writes the entries of a directory while it reads the listing. If there are none, it returns
// false, except for the root, which may be empty. If it returns an error, it has written nothing.
func (f *fileServer) list(w http.ResponseWriter, r *http.Request, prefix string) (listed bool, _ error) {
	for entry, err := range f.options.listing.List(r.Context(), storage.WithPrefix(prefix), storage.WithDelimiter("/"), storage.WithAnyOrder()) {
		if err != nil && !listed {
			return false, err
		}
		if err != nil {
			_, _ = io.WriteString(w, listingLost)
			return true, nil
		}
		if layerkeys.Hides(entry.Key, prefix) || evidence.IsKey(entry.Key) {
			continue
		}
		if !listed {
			beginListing(w)
			listed = true
		}
		if r.Method == http.MethodHead {
			return true, nil
		}
		if _, err := io.WriteString(w, line(strings.TrimPrefix(entry.Key, prefix))); err != nil {
			return true, nil // the client has disconnected
		}
	}
	if prefix == "" && !listed {
		beginListing(w)
		listed = true
	}
	if listed {
		_, _ = io.WriteString(w, listingTail)
	}
	return listed, nil
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
	return `<a href="` + urlpath.Escape(name) + `">` + html.EscapeString(name) + "</a>\n"
}
