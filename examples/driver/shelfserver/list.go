package shelfserver

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPage is the greatest number of entries in one page.
const maxPage = 500

// A page is the JSON of a response to a listing.
type page struct {
	Entries []entry `json:"entries"`
	// Next is the value of the parameter "after" in the request for the next page. On the last
	// page, Next is "".
	Next string `json:"next,omitempty"`
}

// An entry is an object, or a prefix that ends in the delimiter.
type entry struct {
	Key      string    `json:"key"`
	IsPrefix bool      `json:"isPrefix,omitempty"`
	Size     int       `json:"size"`
	ETag     string    `json:"etag"`
	Modified time.Time `json:"modified"`
}

func (s *Server) list(w http.ResponseWriter, query url.Values) {
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	writeJSON(w, s.page(query.Get("prefix"), query.Get("delimiter"), query.Get("after"), min(limit, maxPage)))
}

// page returns up to limit entries whose keys begin with a prefix and are greater than startAfter.
// It combines the keys that have the delimiter after the prefix into one entry for each "folder".
func (s *Server) page(prefix, delimiter, startAfter string, limit int) page {
	s.mu.Lock()
	defer s.mu.Unlock()

	p := page{Entries: []entry{}}
	last := startAfter // key of the last entry so far
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		o := s.objects[key]
		e := entry{Key: key, Size: len(o.content), ETag: o.etag, Modified: o.modified}
		if name, _, below := strings.Cut(rest, delimiter); below && delimiter != "" {
			e = entry{Key: prefix + name + delimiter, IsPrefix: true}
		}

		// The entry belongs to an earlier page, or it is a prefix that has been added already.
		if e.Key <= last {
			continue
		}
		// One more entry exists, so there is a next page.
		if len(p.Entries) == limit {
			p.Next = last
			break
		}
		p.Entries = append(p.Entries, e)
		last = e.Key
	}
	return p
}
