package nulls3

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	etag     = `"9b2cf535f27731c974343645a3985328"`
	modified = "Fri, 02 Jan 2026 15:04:05 GMT"
)

type handler struct {
	latency time.Duration
	counts  counts
}

var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == countsPath {
		h.counts.serve(w)
		return
	}
	bucket, key := split(r.URL.Path)
	query := r.URL.Query()
	operation := operation(r, key, query)
	h.counts.add(operation)
	time.Sleep(h.latency)
	if !drained(r) {
		return
	}
	header := w.Header()
	header.Set("X-Amz-Request-Id", "656c76696e6727732072657175657374")
	header.Set("X-Amz-Id-2", "Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==")
	switch operation {
	case "PutObject", "UploadPart":
		header.Set("Etag", etag)
	case "GetObject", "HeadObject":
		serveObject(w, r, key, query)
	case "ListObjectsV2":
		serveList(w, bucket, query)
	case "CreateMultipartUpload":
		answer(w, "<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>upload</UploadId></InitiateMultipartUploadResult>", bucket, key)
	case "CompleteMultipartUpload":
		answer(w, "<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>&quot;9b2cf535f27731c974343645a3985328-2&quot;</ETag></CompleteMultipartUploadResult>", bucket, key)
	case "GetBucketLocation":
		answer(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	}
}

// drained reads a request's body to its end; false where the client gave up.
func drained(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	buffer := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buffer)
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, buffer[:])
	return err == nil
}

func answer(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+format, args...)
}

// serveObject makes up an object of the size that its key says.
func serveObject(w http.ResponseWriter, r *http.Request, key string, query map[string][]string) {
	digits, _, _ := strings.Cut(key, "/")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || size < 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	asked := r.Header.Get("Range")
	if asked == "" && len(query["partNumber"]) > 0 && size > 0 { // of an object that was stored in one request
		asked = "bytes=0-"
	}
	from, end, ok := interval(asked, size)
	header := w.Header()
	if !ok {
		header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	header.Set("Etag", etag)
	header.Set("Last-Modified", modified)
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.FormatInt(end-from, 10))
	if r.Header.Get("X-Amz-Checksum-Mode") != "" && end-from == size {
		header.Set("X-Amz-Checksum-Crc32c", checksum(size))
		header.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	if asked != "" {
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, end-1, size))
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodGet {
		writePattern(w, from, end)
	}
}

// interval reads a Range header: bytes from from up to end.
func interval(asked string, size int64) (from, end int64, ok bool) {
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
