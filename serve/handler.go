package serve

import (
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/internal/webserver"
)

// NewHandler responds at the signed addresses, signed forms and public addresses of a local or
// memory bucket. Mount it at the path of the bucket's [storage.WithSigningBaseURL], with or without
// [http.StripPrefix]. If a proxy removes that path, use [WithoutPrefix].
//
//	bucket, err := local.Open("data", local.Config{Create: true},
//		storage.WithSigningBaseURL("http://localhost:8080/files"))
//	mux.Handle("/files/", serve.NewHandler(bucket))
//
// A signed request is valid until it expires. Without a signature, an object is served if it was
// written with [storage.WithPublicRead] or if the bucket is public. CreateBucket and UpdateBucket
// make a bucket public with [storage.WithPublicAccess]. Opening a bucket with WithPublicAccess does
// not make the bucket public. Any other request fails with 403, whether or not the object exists.
// The bucket's CORS rules ([storage.WithCORS]) admit pages of other origins. An error response has
// the form of S3: a status and a short XML document with a Code.
//
// Every object is served with the header X-Content-Type-Options: nosniff. It is also served with
// Content-Security-Policy: sandbox, except for a PDF, which browsers do not show in a sandbox. If a
// middleware has set another policy, both policies apply. Content that a browser could run is
// served as an attachment. Such content is HTML, SVG, XML, JavaScript, and any type that is not
// known to be harmless. [AllowActiveContent] turns off the attachment and both headers.
// [WithErrorHandler] has no effect on this handler.
//
// The handler reads and writes objects through b, with its hooks and layers. It responds with 501
// to every request in four cases:
//
//   - The bucket was narrowed by [storage.Ref] or [storage.Prefixed].
//   - The bucket has no WithSigningBaseURL.
//   - The bucket is in a cloud. Signed requests go to the cloud, not to this handler. A program may
//     mount the handler even for such a bucket.
//   - The bucket is a type of yours that embeds a bucket, because that type may change keys. Use
//     [storage.WithHook] or [driver.WithLayer] instead.
//
// The handler sets no deadlines. Use the timeouts of [http.Server]. ReadHeaderTimeout limits the
// time to send a request's header. ReadTimeout limits slow uploads: an upload that takes longer
// fails with 408 and stores nothing. WriteTimeout limits slow readers. ReadTimeout and WriteTimeout
// apply to a whole body, however large. To set deadlines for each request, call SetReadDeadline and
// SetWriteDeadline of [http.ResponseController] in a middleware. Do not use [http.TimeoutHandler].
// It keeps whole responses in memory. If a client sends its body slowly, the response that reports
// the timeout is also late.
func NewHandler(b storage.Bucket, opts ...Option) http.Handler {
	origin, ok := signedurl.OriginOf(b)
	if !ok {
		return http.HandlerFunc(errElsewhere.write)
	}

	// Errors have the form of S3, whatever the options say.
	o := readOptions(opts)
	o.object.errorHandler = nil
	o.object.sendError = func(w http.ResponseWriter, r *http.Request, err error) {
		failureOf(err).write(w, r)
	}
	return &handler{bucket: b, origin: origin, mount: mountOf(origin.BaseURL, o), options: o}
}

type handler struct {
	bucket  storage.Bucket
	origin  signedurl.ServedBucket
	mount   mount
	options options
}

// maxDrain is how many bytes of a refused body the server reads before it closes the connection.
const maxDrain = 16 << 20

// ServeHTTP responds to a signed, public or preflight request. It reads a part of a refused body, so
// that the client can read the response.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, body := webserver.BodyOf(r)
	if f := h.respond(w, r); f != nil {
		body.Refuse(w, r, maxDrain, func() {
			f.write(w, r)
		})
	}
}

// respond responds to a request. If it returns a failure, it has written nothing.
func (h *handler) respond(w http.ResponseWriter, r *http.Request) *failure {
	info, err := h.origin.BucketInfo(r.Context())
	if err != nil {
		return failureOf(err)
	}
	if r.Method == http.MethodOptions {
		return preflight(w, r, info.CORS)
	}

	// Even an error must have the headers of CORS, so that the page can read it.
	allowOrigin(w.Header(), info.CORS, r)
	key, ok := h.mount.key(r)
	if !ok {
		return errOutside
	}

	// The address of the bucket itself, without a key, takes only a form.
	isBucket := key == ""
	if isBucket && r.Method == http.MethodPost {
		return h.post(w, r)
	}
	isObjectMethod := isRead(r) || r.Method == http.MethodPut || r.Method == http.MethodDelete
	if !isObjectMethod {
		w.Header().Set("Allow", "DELETE, GET, HEAD, OPTIONS, POST, PUT")
		return errMethod
	}
	if isBucket {
		return errDenied
	}

	switch r.Method {
	case http.MethodPut:
		return h.put(w, r, key)
	case http.MethodDelete:
		return h.remove(w, r, key)
	default:
		return h.read(w, r, key, info.Public)
	}
}

// verify checks the signature of a request and returns its grant, which says what it permits.
func (h *handler) verify(r *http.Request, method, key string) (*signedurl.Grant, *failure) {
	keys, err := h.origin.VerifyingKeys(r.Context())
	if err != nil {
		return nil, failureOf(err)
	}
	grant, status := signedurl.VerifyURL(keys, h.origin.Name, method, key, r.URL.RawQuery, r.Header, h.origin.Now())
	return grant, failureOfStatus(status)
}

// failureOfStatus returns the error response for a signature with this status, or nil if it is valid.
func failureOfStatus(status signedurl.Status) *failure {
	switch status {
	case signedurl.Valid:
		return nil
	case signedurl.Expired:
		return errExpired
	}
	return errSignature
}
