package nullserver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Modified is the modification time of all objects.
const Modified = "Fri, 02 Jan 2026 15:04:05 GMT"

// Size returns the number with which key begins. For a key, it is the size of the object. For a
// prefix, it is the length of the listing. If there is no number, it returns -1.
func Size(key string) int64 {
	digits, _, _ := strings.Cut(key, "/")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return size
}

// ServeObject sends an object of size bytes, or the requested range of it. byteRange is the value
// of the Range header. header contains the headers that the provider adds.
func ServeObject(w http.ResponseWriter, r *http.Request, byteRange string, size int64, header map[string]string) {
	if size < 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}

	start, end, ok := parseRange(byteRange, size)
	h := w.Header()
	if !ok {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}

	for name, value := range header {
		h.Set(name, value)
	}
	h.Set("Last-Modified", Modified)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(end-start, 10))

	if byteRange != "" {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, size))
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodGet {
		writePattern(w, start, end)
	}
}

// parseRange parses the value of a Range header. The result end is the offset after the last byte
// of the range.
func parseRange(byteRange string, size int64) (start, end int64, ok bool) {
	if byteRange == "" {
		return 0, size, true
	}
	first, last, _ := strings.Cut(strings.TrimPrefix(byteRange, "bytes="), "-")
	lastNumber, lastErr := strconv.ParseInt(last, 10, 64)
	if first == "" {
		// The range is the last bytes of the object.
		return max(size-lastNumber, 0), size, lastErr == nil && size > 0
	}

	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil || start >= size {
		return 0, 0, false
	}
	if lastErr != nil {
		// The range ends with the object.
		return start, size, true
	}
	return start, min(lastNumber+1, size), true
}

// Page returns which objects are on a page of a listing. keys is the number of objects in the
// listing, and limit is the largest number on a page. token is the number of the first object on the
// page.
func Page(keys int64, token string, limit int64) (start, end int64) {
	start, _ = strconv.ParseInt(token, 10, 64)
	return start, min(start+limit, keys)
}

// PageSize returns the number of objects on a page: the number that the client asked for, but at
// most limit.
func PageSize(text string, limit int64) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return min(n, limit)
	}
	return limit
}

// Name returns the i-th key with a prefix, in byte order.
func Name(prefix string, i int64) string {
	if Size(prefix) > 1_000_000 {
		return fmt.Sprintf("%sfolder-%06d/%09d.txt", prefix, i/1000, i)
	}
	return fmt.Sprintf("%sfolder-%03d/%06d.txt", prefix, i/1000, i)
}
