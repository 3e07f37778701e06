package serve

import (
	"cmp"
	"maps"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// Object responds to a request with the object under key, as [http.ServeContent] does with a file.
// It supports HEAD, one range or several, and If-Match, If-None-Match, If-Modified-Since,
// If-Unmodified-Since and If-Range. Content type, encoding, language, disposition, cache control,
// ETag and Last-Modified are those of the object. If the caller has already set one of these
// headers in w, that value stays, except for Last-Modified. The stored bytes are sent unchanged. A
// compressed object is sent compressed, and a range counts the compressed bytes.
//
// Most requests take one request to the store. More requests are made if a range is past the end,
// or if If-Range names another revision. They are also made if ranges go backwards or are too far
// apart. A gap of at most 1 MiB between two ranges is read and discarded. The limit for all gaps of
// a response is 1 MiB or the number of requested bytes, whichever is larger.
//
// The response is the whole object with status 200 in the following cases:
//
//   - Several ranges would take more than 16 requests to the store.
//   - Several ranges have more bytes than the object.
//   - The unit of the range is not bytes (RFC 9110, section 14.2).
//   - The header has an invalid range, such as bytes=1-0. Amazon S3 does the same.
//
// The response to bytes=0- of an empty object is 416, as on Amazon S3.
//
// An error becomes a status with a short body:
//
//	404  ObjectNotFound
//	403  PermissionDenied, NotPublic, Archived
//	400  InvalidArgument, usually an invalid key
//	429  RateLimited
//	503  Unavailable, Changed, Canceled
//	504  DeadlineExceeded
//	500  any other
//
// [WithErrorHandler] replaces these responses. Headers that say how to show or cache the object are
// left out of an error response. They are also left out of a response with status 412.
//
// If an error occurs after the first bytes were sent, the response is shorter than its
// Content-Length. A client notices that the response is incomplete. If the bytes of a whole object
// do not match its checksum, the response is also too short.
//
// Object serves HTML and scripts unchanged, so that browsers run them. If strangers can upload
// objects, serve these objects from a separate host name, or with [WithDownloadName].
func Object(w http.ResponseWriter, r *http.Request, b storage.Downloader, key string, opts ...Option) {
	if b == nil {
		b = storage.NewBucket(nil) // lets the request fail, instead of a panic
	}
	serveObject(w, r, b, key, readOptions(opts).object)
}

// serveObject serves an object and reports errors, like Object but with parsed options.
func serveObject(w http.ResponseWriter, r *http.Request, b storage.Downloader, key string, o objectOptions) {
	if err := o.serve(w, r, b, key); err != nil {
		o.sendFailure(w, r, err)
	}
}

// maxAttempts limits how often a response is started. It starts again if the object changes between
// two requests to the store.
const maxAttempts = 3

// serve responds with the object. If it returns an error, it has written nothing.
func (o objectOptions) serve(w http.ResponseWriter, r *http.Request, b storage.Downloader, key string) error {
	if o.invalid != nil {
		return o.invalid
	}
	resp := &response{w: w, r: r, options: o, ranges: parseRange(r.Header.Get("Range"))}
	if resp.ranges == nil {
		// The whole object takes one request to the store, so no other revision can follow.
		return resp.attempt(b, key)
	}

	header := w.Header().Clone()
	for attempt := 1; ; attempt++ {
		err := resp.attempt(b, key)
		hasChanged := storage.CodeOf(err) == storage.Changed
		if !hasChanged || attempt == maxAttempts {
			return err
		}

		// Remove the headers of the object that has changed.
		clear(w.Header())
		maps.Copy(w.Header(), header)
	}
}

// A response is the state of one HTTP response with an object.
type response struct {
	w       http.ResponseWriter
	r       *http.Request
	options objectOptions
	ranges  rangeHeader
	src     *source
	// hasLength is true if a response with the whole object has a Content-Length. It is false if the
	// caller has set Content-Encoding. In this case, the caller's ResponseWriter may compress the
	// bytes, and the final length is not known.
	hasLength bool
}

// attempt opens the object, evaluates the conditions of the request and responds. If it returns an
// error, it has written nothing.
func (resp *response) attempt(b storage.Downloader, key string) error {
	// Read the first range at once, so that most responses need only one request to the store.
	first := resp.ranges.firstRead()
	if resp.r.Method == http.MethodHead {
		first = attributesOnly
	}
	src, err := openSource(resp.r.Context(), b, key, resp.options.downloads, first)
	if err != nil {
		return err
	}
	defer src.close()
	resp.src = src

	// Complete the header first, because the conditions depend on its ETag.
	attrs := src.attrs
	h := resp.w.Header()
	resp.hasLength = h.Get("Content-Encoding") == "" // otherwise another handler may compress the body
	setObjectHeaders(h, attrs)
	for _, adjust := range resp.options.headers {
		adjust(h, attrs)
	}

	etag := h.Get("Etag")
	if status := evaluatePreconditions(resp.r, etag, attrs.Modified); status != 0 {
		resp.sendPreconditionStatus(status, key)
		return nil
	}

	// If the header If-Range names another revision of the object, send the whole object.
	requested := resp.ranges
	if requested != nil && !rangeApplies(resp.r, etag, attrs.Modified) {
		requested = nil
	}
	ranges, ok := requested.resolve(attrs.Size)
	if !ok {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(attrs.Size, 10))
		return &storage.Error{Code: storage.RangeNotSatisfiable, Op: "Download", Key: key, Err: errNoOverlap}
	}
	return resp.send(ranges)
}

// sendPreconditionStatus responds with 304 or 412 to a request with a condition that does not hold.
// A 412 has no headers on how to show or cache the object, because a cache would apply them to the
// error.
func (resp *response) sendPreconditionStatus(status int, key string) {
	h := resp.w.Header()
	if status == http.StatusNotModified {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		if h.Get("Etag") != "" {
			// RFC 9110, section 15.4.5, recommends this.
			h.Del("Last-Modified")
		}
		resp.w.WriteHeader(status)
		return
	}

	if resp.options.sendError != nil {
		resp.options.sendError(resp.w, resp.r, &storage.Error{Code: storage.PreconditionFailed, Op: "Download", Key: key})
		return
	}
	for _, name := range presentationHeaders {
		h.Del(name)
	}
	resp.w.WriteHeader(status)
}

// send responds with ranges of the object, or with the whole object if there are none. If it returns
// an error, it has written nothing.
func (resp *response) send(ranges []byteRange) error {
	h := resp.w.Header()
	body := parts{ranges: ranges, contentType: h.Get("Content-Type"), size: resp.src.attrs.Size}
	if resp.r.Method == http.MethodHead {
		resp.writeHeader(body)
		return nil
	}

	// The request to the store may fail, so make it before the header is written.
	toRead := ranges
	if len(ranges) == 0 {
		toRead = []byteRange{{start: 0, length: resp.src.attrs.Size}}
	}
	resp.src.plan(toRead)
	if err := resp.src.seek(toRead[0]); err != nil {
		return err
	}

	// From here, a failure can no longer be reported by a status.
	multipartWriter := resp.writeHeader(body)
	var err error
	if multipartWriter != nil {
		err = body.writeTo(multipartWriter, resp.src.copy)
	} else {
		err = resp.src.copy(resp.w, toRead[0])
	}
	if err != nil && h.Get("Content-Length") == "" {
		// Without Content-Length, only a broken connection tells the client that bytes are missing.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// writeHeader writes the header of the response. For more than one range, it returns the multipart
// writer for the body, and otherwise nil.
func (resp *response) writeHeader(body parts) *multipart.Writer {
	h := resp.w.Header()
	ranges := body.ranges

	var multipartWriter *multipart.Writer // nil unless there are several ranges
	var status int
	var length int64
	switch len(ranges) {
	case 0:
		status = http.StatusOK
		length = body.size
	case 1:
		status = http.StatusPartialContent
		length = ranges[0].length
		h.Set("Content-Range", ranges[0].contentRange(body.size))
	default:
		status = http.StatusPartialContent
		length = body.length()
		multipartWriter = multipart.NewWriter(resp.w)
		h.Set("Content-Type", "multipart/byteranges; boundary="+multipartWriter.Boundary())
	}

	h.Set("Accept-Ranges", "bytes")

	// If another handler may compress the whole object, the length is not known.
	if resp.hasLength || len(ranges) > 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	resp.w.WriteHeader(status)
	return multipartWriter
}

// presentationHeaders lists the headers that say how to show and cache the object. objectHeaders lists
// these and all other headers that describe the object.
var (
	presentationHeaders = []string{
		"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control",
	}
	objectHeaders = append(presentationHeaders[:len(presentationHeaders):len(presentationHeaders)], "Etag", "Last-Modified")
)

// setObjectHeaders sets the headers that describe the object, but keeps those that are already set.
func setObjectHeaders(h http.Header, attrs *storage.Attrs) {
	// Without a type, net/http would guess one from the bytes.
	setDefaultHeader(h, "Content-Type", cmp.Or(attrs.ContentType, "application/octet-stream"))
	if attrs.ContentEncoding != "identity" {
		// "identity" means none, and no response should name it (RFC 9110, section 8.4.1).
		setDefaultHeader(h, "Content-Encoding", attrs.ContentEncoding)
	}
	setDefaultHeader(h, "Content-Language", attrs.ContentLanguage)
	setDefaultHeader(h, "Content-Disposition", attrs.ContentDisposition)
	setDefaultHeader(h, "Cache-Control", attrs.CacheControl)
	setDefaultHeader(h, "Etag", attrs.ETag)
	if isKnown(attrs.Modified) {
		h.Set("Last-Modified", attrs.Modified.UTC().Format(http.TimeFormat))
	}
}

// setDefaultHeader sets the header with this canonical name unless it is already set. It ignores a
// value with control characters, which could end the line and begin another header.
func setDefaultHeader(h http.Header, name, value string) {
	if value == "" || strings.ContainsFunc(value, isControl) {
		return
	}
	// A caller may have set the header to nil, so that it is left out.
	if _, isSet := h[name]; isSet {
		return
	}
	h[name] = []string{value}
}

func isControl(c rune) bool { return (c < ' ' && c != '\t') || c == 0x7F }
