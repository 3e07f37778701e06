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

// find searches the names in a folder and in all folders below it. A name matches if it contains the
// text, in capital or small letters. A response may have few matches, or none, and name the place where
// the search continues.
func (h *Handler) find(r *http.Request) (any, error) {
	q := r.URL.Query()
	b, _, err := h.source.Bucket(r.Context(), q.Get("bucket"))
	if err != nil {
		return nil, err
	}
	text := strings.ToLower(q.Get("text"))
	prefix := q.Get("prefix")
	answer := struct {
		Entries []entryView `json:"entries"`
		Next    string      `json:"next"`
	}{[]entryView{}, q.Get("after")}
	opts := append(pageOptions(b), storage.WithPrefix(prefix), storage.WithPageSize(maxPage))

	scanned := 0
	for hasMore := true; hasMore; hasMore = answer.Next != "" && scanned < findScan && len(answer.Entries) < findFound {
		page, err := storage.ListPage(r.Context(), b, answer.Next, opts...)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			scanned++
			if strings.Contains(strings.ToLower(strings.TrimPrefix(e.Key, prefix)), text) {
				answer.Entries = append(answer.Entries, h.viewWithThumbnail(r, q, e))
			}
		}
		answer.Next = page.Token
	}
	return answer, nil
}

// maxCount is the largest number of objects that one request counts.
const maxCount = 100_000

// size returns the number of objects in a folder, with those of all folders below it, and the sum of
// their sizes.
func (h *Handler) size(r *http.Request) (any, error) {
	q := r.URL.Query()
	b, _, err := h.source.Bucket(r.Context(), q.Get("bucket"))
	if err != nil {
		return nil, err
	}

	answer := struct {
		Objects int   `json:"objects"`
		Size    int64 `json:"size"`
		Partial bool  `json:"partial"` // true if there are more objects
	}{}

	for e, err := range b.List(r.Context(), storage.WithPrefix(q.Get("prefix")), storage.WithAnyOrder()) {
		if err != nil {
			return nil, err
		}
		if isMarker(e) {
			continue
		}
		if answer.Objects == maxCount {
			answer.Partial = true
			break
		}
		answer.Objects++
		answer.Size += e.Size
	}
	return answer, nil
}

// isMarker reports whether an entry is the empty object that consoles store for a folder.
func isMarker(e storage.ListEntry) bool { return e.Size == 0 && strings.HasSuffix(e.Key, "/") }
