package serve

import (
	"html"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/urlpath"
)

const (
	listingHead = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
	listingTail = "</pre>\n"
	listingLost = "</pre>\n<p>The listing ends here: the rest could not be read.\n"
)

// list writes what lies right under prefix, as it comes. It is not listed where
// there is nothing, but for the root, which may be empty. An error that it
// returns came before anything was written.
func (f *fileServer) list(w http.ResponseWriter, r *http.Request, prefix string) (listed bool, _ error) {
	for entry, err := range f.options.listing.List(r.Context(), storage.WithPrefix(prefix), storage.WithDelimiter("/")) {
		if err != nil && !listed {
			return false, err
		}
		if err != nil {
			_, _ = io.WriteString(w, listingLost)
			return true, nil
		}
		if !listed {
			beginListing(w)
			listed = true
		}
		if r.Method == http.MethodHead {
			return true, nil
		}
		if _, err := io.WriteString(w, line(strings.TrimPrefix(entry.Key, prefix))); err != nil {
			return true, nil // nobody reads it any more
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

// line is empty for a key of others' making that no address leads to: a folder
// marker, or one with "//" or "..".
func line(name string) string {
	if file := strings.TrimSuffix(name, "/"); path.Clean("/"+file) != "/"+file || file == "" {
		return ""
	}
	return `<a href="` + urlpath.Escape(name) + `">` + html.EscapeString(name) + "</a>\n"
}
