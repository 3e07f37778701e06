package console

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

const (
	// findScan is the largest number of objects that one search reads before it responds.
	findScan = 10_000
	// findFound is the number of matches after which a search responds.
	findFound = 100
)

// find searches a folder, and all folders below it, for names that contain a text, whatever the case of
// their letters. A response may have few matches, or none, and say where the search continues.
func (h *Handler) find(r *http.Request) (any, error) {
	q := r.URL.Query()
	b, _, err := h.source.Bucket(r.Context(), q.Get("bucket"))
	if err != nil {
		return nil, err
	}

	text := strings.ToLower(q.Get("text"))
	prefix := q.Get("prefix")
	opts := append(pageOptions(b), storage.WithPrefix(prefix), storage.WithPageSize(maxPage))
	found := entryPage{Entries: []entryView{}}
	token := q.Get("after")
	scanned := 0
	for {
		page, err := storage.ListPage(r.Context(), b, token, opts...)
		if err != nil {
			return nil, err
		}
		for _, entry := range page.Entries {
			name := strings.TrimPrefix(entry.Key, prefix)
			if strings.Contains(strings.ToLower(name), text) {
				found.Entries = append(found.Entries, h.viewWithThumbnail(r, q, entry))
			}
		}

		// A long search ends early, so that the client soon sees its first matches.
		token = page.Token
		scanned += len(page.Entries)
		if token == "" || scanned >= findScan || len(found.Entries) >= findFound {
			found.Next = token
			return found, nil
		}
	}
}

// maxCount is the largest number of objects that one request counts.
const maxCount = 100_000

// A sizeView is the size of a folder.
type sizeView struct {
	Objects int   `json:"objects"`
	Size    int64 `json:"size"`
	Partial bool  `json:"partial"` // true if there are more objects
}

// size returns the number and the total size of the objects in a folder and in all folders below it.
func (h *Handler) size(r *http.Request) (any, error) {
	q := r.URL.Query()
	b, _, err := h.source.Bucket(r.Context(), q.Get("bucket"))
	if err != nil {
		return nil, err
	}

	var view sizeView
	for entry, err := range b.List(r.Context(), storage.WithPrefix(q.Get("prefix")), storage.WithAnyOrder()) {
		if err != nil {
			return nil, err
		}
		if isMarker(entry) {
			continue
		}
		if view.Objects == maxCount {
			view.Partial = true
			break
		}
		view.Objects++
		view.Size += entry.Size
	}
	return view, nil
}

// isMarker reports whether an entry is the empty object that consoles store for a folder.
func isMarker(e storage.ListEntry) bool { return e.Size == 0 && strings.HasSuffix(e.Key, "/") }
