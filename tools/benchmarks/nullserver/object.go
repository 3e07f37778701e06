package nullserver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Modified is the modification time of all objects.
const Modified = "Fri, 02 Jan 2026 15:04:05 GMT"

// Size returns the size in a key, or the length of a listing in its prefix; -1 if
// there is no such object.
func Size(key string) int64 {
	digits, _, _ := strings.Cut(key, "/")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return size
}

// ServeObject responds with an object of size bytes, or with the requested range. The
// service sets header.
func ServeObject(w http.ResponseWriter, r *http.Request, asked string, size int64, header map[string]string) {
	if size < 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	from, end, ok := parseRange(asked, size)
	all := w.Header()
	if !ok {
		all.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	for name, value := range header {
		all.Set(name, value)
	}
	all.Set("Last-Modified", Modified)
	all.Set("Accept-Ranges", "bytes")
	all.Set("Content-Type", "application/octet-stream")
	all.Set("Content-Length", strconv.FormatInt(end-from, 10))
	if asked != "" {
		all.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, end-1, size))
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodGet {
		writePattern(w, from, end)
	}
}

// parseRange parses a Range header: the bytes between from and end.
func parseRange(asked string, size int64) (from, end int64, ok bool) {
	first, last, _ := strings.Cut(strings.TrimPrefix(asked, "bytes="), "-")
	switch {
	case asked == "":
		return 0, size, true
	case first == "":
		n, err := strconv.ParseInt(last, 10, 64)
		return max(size-n, 0), size, err == nil && size > 0
	}
	from, err := strconv.ParseInt(first, 10, 64)
	end = size
	if n, failed := strconv.ParseInt(last, 10, 64); failed == nil {
		end = min(n+1, size)
	}
	return from, end, err == nil && from < size
}

// Page returns the objects in a page of a listing of keys objects: most objects from
// the one that a token names.
func Page(keys int64, token string, most int64) (from, end int64) {
	from, _ = strconv.ParseInt(token, 10, 64)
	return from, min(from+most, keys)
}

// PageSize returns the number of objects in a page: as requested, up to limit.
func PageSize(asked string, limit int64) int64 {
	if n, err := strconv.ParseInt(asked, 10, 64); err == nil && n > 0 {
		return min(n, limit)
	}
	return limit
}

// Name returns the i-th key with a prefix. Keys are in byte order.
func Name(prefix string, i int64) string {
	if Size(prefix) > 1_000_000 {
		return fmt.Sprintf("%sfolder-%06d/%09d.txt", prefix, i/1000, i)
	}
	return fmt.Sprintf("%sfolder-%03d/%06d.txt", prefix, i/1000, i)
}
