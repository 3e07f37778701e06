package serve

import (
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

// NewHandler answers the signed addresses, signed forms and public addresses of
// a local or memory bucket. It is mounted where the bucket's
// storage.WithSigningBaseURL points, with or without http.StripPrefix (and
// WithoutPrefix, where a proxy takes the path away before):
//
//	bucket, err := local.Open("data", local.Config{Create: true},
//		storage.WithSigningBaseURL("http://localhost:8080/files"))
//	mux.Handle("/files/", serve.NewHandler(bucket))
//
// A signed request is answered as it was signed, until it expires. Without a
// signature an object is served where it was written with
// storage.WithPublicRead, or where the bucket is public
// (storage.WithPublicAccess); opening a bucket with storage.WithPublic makes
// nothing public. Whatever else is asked for is 403, there or not. Pages of other
// origins are let in by the bucket's CORS rules (storage.WithCORS). Errors are
// answered as S3 does: a status and a short XML document with a Code.
//
// What a browser could run in the handler's origin (HTML, SVG, XML, JavaScript,
// and all that is not known to be harmless) is served as an attachment, unless
// AllowActiveContent is given. WithErrorHandler is not for this handler.
//
// Objects are read and written through b, its hooks and layers. Give the whole
// bucket: one that was narrowed by storage.Ref or storage.Prefixed, one without
// WithSigningBaseURL, and one of a cloud, whose store answers itself, get a
// handler that answers 501 to everything, so that a program may mount it whatever
// its bucket is. So does a type of yours that embeds a bucket, for what it does to
// keys cannot be known: put what it adds into storage.WithHook or
// storage.WithLayer, which this handler passes, and give the bucket itself.
//
// The handler sets no deadlines. Use those of http.Server: ReadHeaderTimeout
// against clients that never ask, ReadTimeout where a slow upload shall not last
// for ever (408, and what had come by then is not stored), and WriteTimeout
// against slow readers. The last two bound a whole body, be it gigabytes: to set
// them by request, call http.ResponseController's SetReadDeadline and
// SetWriteDeadline in a handler around this one. http.TimeoutHandler does not fit:
// it keeps whole answers in memory, and its own answer waits for the body too.
func NewHandler(b storage.Bucket, opts ...Option) http.Handler {
	o := readOptions(opts)
	of, ok := signedurl.OriginOf(b)
	if !ok {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { errElsewhere.write(w, r) })
	}
	o.fail, o.refuse = nil, func(w http.ResponseWriter, r *http.Request, err error) { failureOf(err).write(w, r) }
	return &handler{bucket: b, origin: of, mount: mountOf(of.BaseURL, o), options: o}
}

type handler struct {
	bucket  storage.Bucket
	origin  signedurl.ServedBucket
	mount   mount
	options options
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := h.answer(w, r)
	if f == nil {
		return
	}
	if r.ProtoMajor == 1 && (r.Method == http.MethodPut || r.Method == http.MethodPost) {
		// Else net/http would wait for the rest of the body before it answers.
		w.Header().Set("Connection", "close")
	}
	f.write(w, r)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request) *failure {
	info, err := h.origin.BucketInfo(r.Context())
	if err != nil {
		return failureOf(err)
	}
	if r.Method == http.MethodOptions {
		return preflight(w, r, info.CORS)
	}
	allowOrigin(w.Header(), info.CORS, r)
	key, ok := h.mount.key(r)
	if !ok {
		return errOutside
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if key == "" {
			return errDenied
		}
		return h.read(w, r, key, info.Public)
	case http.MethodPut:
		if key == "" {
			return errDenied
		}
		return h.put(w, r, key)
	case http.MethodPost:
		if key == "" {
			return h.post(w, r)
		}
	}
	w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST, PUT")
	return errMethod
}

// verify is the grant of a signed address.
func (h *handler) verify(r *http.Request, method, key string) (*signedurl.Grant, *failure) {
	keys, err := h.origin.VerifyingKeys(r.Context())
	if err != nil {
		return nil, failureOf(err)
	}
	g, standing := signedurl.VerifyURL(keys, h.origin.Name, method, key, r.URL.RawQuery, r.Header, h.origin.Now())
	return g, refusalOf(standing)
}

func refusalOf(s signedurl.Status) *failure {
	switch s {
	case signedurl.Valid:
		return nil
	case signedurl.Expired:
		return errExpired
	}
	return errSignature
}
