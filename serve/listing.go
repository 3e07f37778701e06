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

// list writes the entries of a directory while it reads the listing, and reports whether it has
// written anything. An empty directory has no listing, unless it is the root. If list returns an
// error, it has written nothing.
func (f *fileServer) list(w http.ResponseWriter, r *http.Request, prefix string) (isListed bool, err error) {
	opts := []storage.ListOption{storage.WithPrefix(prefix), storage.WithDelimiter("/"), storage.WithAnyOrder()}
	page := &listingPage{w: w}
	for entry, err := range f.options.listing.List(r.Context(), opts...) {
		if err != nil && !page.hasBegun {
			return false, err
		}
		if err != nil {
			// The status is already sent, so only the page can report the failure.
			_, _ = io.WriteString(w, listingLost)
			return true, nil
		}

		// The objects of layers, and those that a killed job has left, are not the user's data.
		if objectkey.Hides(entry.Key, prefix) || evidence.IsKey(entry.Key) {
			continue
		}

		page.begin()
		if r.Method == http.MethodHead {
			return true, nil
		}
		_, err = io.WriteString(w, entryLine(strings.TrimPrefix(entry.Key, prefix)))
		if err != nil {
			// The client has disconnected.
			return true, nil
		}
	}

	isRoot := prefix == ""
	if !page.hasBegun && !isRoot {
		return false, nil
	}
	page.begin()
	_, _ = io.WriteString(w, listingTail)
	return true, nil
}

// A listingPage is the page of a listing, which begins with its first entry. Writes of a listing ignore errors, which
// mean that the client has disconnected.
type listingPage struct {
	w        http.ResponseWriter
	hasBegun bool
}

// begin writes the status and the beginning of the page, unless they are already written.
func (p *listingPage) begin() {
	if p.hasBegun {
		return
	}
	p.hasBegun = true
	p.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	p.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(p.w, listingHead)
}

// entryLine returns the line of an entry in a listing, or "" for a key that no URL can name, such as
// a folder marker or a key with "//" or "..".
func entryLine(name string) string {
	file := strings.TrimSuffix(name, "/")
	if file == "" || path.Clean("/"+file) != "/"+file {
		return ""
	}
	return `<a href="` + escape.Path(name) + `">` + html.EscapeString(name) + "</a>\n"
}
