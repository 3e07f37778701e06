package serve

import (
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// Object answers a request with the object under key, as http.ServeContent does
// with a file: ranges, one or several; If-Match, If-None-Match,
// If-Modified-Since, If-Unmodified-Since and If-Range; HEAD. Content type,
// encoding, language, disposition, cache control, ETag and Last-Modified are
// those of the object; of the first five, and the ETag, one that the caller has
// set in w's header already stays. The stored bytes are sent as they are: what
// was stored compressed is sent compressed, and a range is one of compressed
// bytes.
//
// The store is asked once, and conditions are judged by its answer: what they
// need not send is closed unread. Asked again is where a range lies behind the
// end, where If-Range is of another object, and for ranges that go backwards or
// lie too far apart: of what is between them no more than 1 MiB, or as much as was
// asked for, is read and thrown away. Several that would take more than 16
// requests, or are more bytes than there are, are answered with the whole object,
// 200, however many they are: a server may ignore Range, and a client that asks
// must take that, while no 4xx would tell it what to do (RFC 9110, section 14.2).
//
// Errors become statuses, with a short body that tells no more: 404
// ObjectNotFound; 403 PermissionDenied, NotPublic and Archived; 400
// InvalidArgument, of the key as a rule; 429 RateLimited; 503 Unavailable, Changed
// and Canceled, as of a server that stops; 504 DeadlineExceeded; else 500. See
// WithErrorHandler. They and 412 have none of the object's headers that say how to
// show or keep it. What fails when the first bytes were sent, and a whole object
// whose bytes are not those that were stored, leaves the answer shorter than it
// says: a client sees that.
//
// HTML and scripts are served as such: whoever serves what strangers uploaded
// does it from a host name of its own, or with WithDownloadName.
func Object(w http.ResponseWriter, r *http.Request, b storage.Downloader, key string, opts ...Option) {
	serveObject(w, r, b, key, readOptions(opts).objectOptions)
}

// serveObject is Object, for the handlers of this package.
func serveObject(w http.ResponseWriter, r *http.Request, b storage.Downloader, key string, o objectOptions) {
	if err := o.serve(w, r, b, key); err != nil {
		o.failed(w, r, err)
	}
}

// An object that changes between two requests for one answer is served anew so
// often.
const maxAttempts = 3

// serve answers, unless it returns an error: then nothing has been written.
func (o objectOptions) serve(w http.ResponseWriter, r *http.Request, b storage.Downloader, key string) error {
	if o.bad != nil {
		return o.bad
	}
	a := &response{w: w, r: r, options: o, requested: parseRange(r.Header.Get("Range"))}
	if !a.requested.given { // one request, whatever the object is by then
		return a.attempt(b, key)
	}
	before := w.Header().Clone()
	for attempt := 1; ; attempt++ {
		err := a.attempt(b, key)
		if storage.CodeOf(err) != storage.Changed || attempt == maxAttempts {
			return err
		}
		restore(w.Header(), before)
	}
}

func restore(h, before http.Header) {
	clear(h)
	for name, values := range before {
		h[name] = values
	}
}

// answer is one answer with an object.
type response struct {
	w       http.ResponseWriter
	r       *http.Request
	options objectOptions
	requested   rangeHeader
	from    *source
	// sized is whether Content-Length may be set. It may not where the caller has
	// set a Content-Encoding: w compresses what it is given then.
	sized bool
}

func (a *response) attempt(b storage.Downloader, key string) (err error) {
	first := a.requested.firstRead()
	if a.r.Method == http.MethodHead {
		first = attributesOnly
	}
	a.from, err = openSource(a.r.Context(), b, key, a.options.downloads, first)
	if err != nil {
		return err
	}
	defer a.from.close()
	attrs, h := a.from.attrs, a.w.Header()
	a.sized = h.Get("Content-Encoding") == ""
	setHeader(h, attrs)
	for _, adjust := range a.options.headers {
		adjust(h, attrs)
	}
	etag := h.Get("Etag")
	if status := evaluatePreconditions(a.r, etag, attrs.Modified); status != 0 {
		a.stop(status, key)
		return nil
	}
	asked := a.requested
	if asked.given && !rangeApplies(a.r, etag, attrs.Modified) {
		asked = rangeHeader{}
	}
	ranges, err := asked.resolve(attrs.Size)
	if err != nil {
		if err == errNoOverlap {
			h.Set("Content-Range", "bytes */"+strconv.FormatInt(attrs.Size, 10))
		}
		return &storage.Error{Code: storage.RangeNotSatisfiable, Op: "Download", Key: key, Err: err}
	}
	return a.send(ranges)
}

// stop is the answer to a condition. That of a precondition is an error like
// others: no cache may keep it for as long as the object, and no browser save it
// under the object's name.
func (a *response) stop(status int, key string) {
	h := a.w.Header()
	switch {
	case status == http.StatusNotModified:
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		if h.Get("Etag") != "" {
			h.Del("Last-Modified") // RFC 9110, section 15.4.5
		}
	case a.options.refuse != nil:
		a.options.refuse(a.w, a.r, &storage.Error{Code: storage.PreconditionFailed, Op: "Download", Key: key})
		return
	default:
		for _, name := range presentation {
			h.Del(name)
		}
	}
	a.w.WriteHeader(status)
}

// send answers with the ranges; none is the whole object.
func (a *response) send(ranges []byteRange) error {
	size, h, status := a.from.attrs.Size, a.w.Header(), http.StatusOK
	length := size
	body := ranges
	if len(ranges) == 0 {
		body = []byteRange{{0, size}}
	}
	a.from.plan(body)
	if a.r.Method != http.MethodHead {
		if err := a.from.seek(body[0]); err != nil {
			return err
		}
	}
	several := parts{ranges: ranges, contentType: h.Get("Content-Type"), size: size}
	var boundary *multipart.Writer
	switch {
	case len(ranges) == 1:
		status, length = http.StatusPartialContent, ranges[0].length
		h.Set("Content-Range", ranges[0].contentRange(size))
	case len(ranges) > 1:
		status, length = http.StatusPartialContent, several.length()
		boundary = multipart.NewWriter(a.w)
		h.Set("Content-Type", "multipart/byteranges; boundary="+boundary.Boundary())
	}
	h.Set("Accept-Ranges", "bytes")
	if a.sized || len(ranges) > 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	a.w.WriteHeader(status)
	if a.r.Method == http.MethodHead {
		return nil
	}
	var err error
	if boundary != nil {
		err = several.writeTo(boundary, a.from.copy)
	} else {
		err = a.from.copy(a.w, body[0])
	}
	if err != nil && h.Get("Content-Length") == "" {
		// Nothing else tells the client that this is not all.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// presentation are the headers that say how to show and keep the object; with
// objectHeaders they are all that say something about it.
var (
	presentation  = []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control"}
	objectHeaders = append(presentation[:len(presentation):len(presentation)], "Etag", "Last-Modified")
)

// setHeader describes the object. What the caller has set stays.
func setHeader(h http.Header, a *storage.Attrs) {
	contentType := a.ContentType
	if contentType == "" {
		contentType = "application/octet-stream" // else net/http would guess from the bytes
	}
	offer(h, "Content-Type", contentType)
	offer(h, "Content-Encoding", a.ContentEncoding)
	offer(h, "Content-Language", a.ContentLanguage)
	offer(h, "Content-Disposition", a.ContentDisposition)
	offer(h, "Cache-Control", a.CacheControl)
	offer(h, "Etag", a.ETag)
	if isKnown(a.Modified) {
		h.Set("Last-Modified", a.Modified.UTC().Format(http.TimeFormat))
	}
}

// offer sets a header that is not there. A value that could end the line and
// begin another header was not checked by this library: it is left out.
func offer(h http.Header, name, value string) {
	if _, given := h[name]; given || value == "" || strings.ContainsFunc(value, isControl) {
		return
	}
	h[name] = []string{value}
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }
