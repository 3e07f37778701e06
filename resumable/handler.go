package resumable

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/internal/partsize"
)

// A Handler receives files by both protocols. Any number of processes may each have one
// for the same bucket. It is safe for concurrent use.
type Handler struct {
	bucket storage.ReadWriter
	config Config
	mux    *http.ServeMux

	responder *responder
	keeper    *keeper
	finisher  *finisher
	companion *companion
	tus       *tus
	sweeper   *sweeper
}

func newHandler(bucket storage.ReadWriter, c Config) *Handler {
	h := &Handler{bucket: bucket, config: c}
	h.responder = &responder{config: c}
	h.keeper = &keeper{bucket: bucket, config: c, basePart: partsize.Base}
	h.finisher = &finisher{bucket: bucket, config: c, keeper: h.keeper, claimFor: claimFor}
	h.companion = &companion{bucket: bucket, config: c, keeper: h.keeper, finisher: h.finisher}
	h.sweeper = &sweeper{config: c, keeper: h.keeper}
	feeds := c.MemoryLimit / feedsShare
	h.tus = &tus{
		bucket: bucket, config: c, responder: h.responder, keeper: h.keeper, finisher: h.finisher,
		memory: newMemory(c.MemoryLimit - feeds), feeds: newSharedMemory(feeds), pace: defaultPace,
		active: map[string]chan struct{}{},
	}
	h.mux = h.routes()
	return h
}

// A responder responds with errors.
type responder struct{ config Config }

// routes returns the routes. Paths are those of Uppy's companion, and /tus.
func (h *Handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /s3/multipart", h.responder.respond(h.responder.authorized(h.companion.beginParts)))
	mux.HandleFunc("GET /s3/multipart/{id}", h.responder.respond(h.responder.authorized(h.companion.listParts)))
	mux.HandleFunc("GET /s3/multipart/{id}/{part}", h.responder.respond(h.responder.authorized(h.companion.signPart)))
	mux.HandleFunc("GET /s3/multipart/{id}/batch", h.responder.respond(h.responder.authorized(h.companion.signParts)))
	mux.HandleFunc("POST /s3/multipart/{id}/complete", h.responder.respond(h.responder.authorized(h.companion.completeParts)))
	mux.HandleFunc("DELETE /s3/multipart/{id}", h.responder.respond(h.responder.authorized(h.companion.abortParts)))
	mux.HandleFunc("GET /s3/params", h.responder.respond(h.responder.authorized(h.companion.beginSingle)))
	mux.HandleFunc("PUT /s3/single/{id}", h.responder.respond(h.companion.putSingle))
	mux.HandleFunc("POST /s3/single/{id}", h.responder.respond(h.companion.putSingle)) // a form, as Uppy 6 sends
	mux.HandleFunc("PUT /s3/part/{id}/{part}", h.responder.respond(h.companion.putPart))
	tus := h.tus.respondTus
	mux.HandleFunc("/tus", tus)
	mux.HandleFunc("/tus/{$}", tus)
	mux.HandleFunc("/tus/{id}", tus)
	mux.HandleFunc("/", h.responder.respond(func(*call) error {
		return refuse("", NotFound, "There is nothing here.")
	}))
	return mux
}

// ServeHTTP responds to a request. Mount the handler with [http.StripPrefix].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store") // responses have signed addresses
	header.Set("X-Content-Type-Options", "nosniff")
	if h.allowOrigin(w, r) {
		return
	}
	h.mux.ServeHTTP(w, r)
}

// A call is one request.
type call struct {
	*http.Request
	w       http.ResponseWriter
	user    string
	refused *feed // of the body of a request that is refused after some of it was received
}

// respond runs f. f either responds, or returns an error before it has written anything.
func (h *responder) respond(f func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(&call{Request: r, w: w}); err != nil {
			h.refuse(w, r, err)
		}
	}
}

// maxDrain is how many bytes of a refused body are still read.
const maxDrain = 4 << 20

// refuse responds with err, and reads the rest of the body. A client that waits for
// "100 Continue" has sent nothing yet.
func (h *responder) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor != 1 || r.Header.Get("Expect") != "" {
		h.fail(w, r, err)
		return
	}
	drain.Respond(r.Context(), w, r.Body, maxDrain, func() { h.fail(w, r, err) })
}

// authorized returns f for authorized requests.
func (h *responder) authorized(f func(*call) error) func(*call) error {
	return func(c *call) (err error) {
		if c.user, err = h.config.Authorize(c.Request); err != nil {
			return unauthorized(err)
		}
		return f(c)
	}
}

// exposed are the headers of responses that a page of another origin may read.
const exposed = "ETag, Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset"

// allowOrigin writes the headers for pages of other origins, and reports whether the
// request was a preflight and has its response.
func (h *Handler) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || len(h.config.Origins) == 0 {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	switch {
	case slices.ContainsFunc(h.config.Origins, func(o string) bool { return strings.EqualFold(o, origin) }):
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	case slices.Contains(h.config.Origins, "*"):
		header.Set("Access-Control-Allow-Origin", "*")
	default:
		return false
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		header.Set("Access-Control-Expose-Headers", exposed)
		return false
	}
	header.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		header.Set("Access-Control-Allow-Headers", asked)
	}
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// begin asks the application for the target of a new upload, and returns its session,
// which is not saved yet.
func (k *keeper) begin(c *call, kind string, n UploadRequest, sizeField string) (*session, error) {
	if k.config.MaxSize > 0 && n.Size > k.config.MaxSize {
		return nil, tooLarge(sizeField, k.config.MaxSize)
	}
	if len(n.Name)+len(n.Type) > maxMetadataBytes {
		return nil, invalid("filename", "Name and type of the file are too long.")
	}
	target, err := k.config.Begin(c.Request, c.user, n)
	if err != nil {
		return nil, unauthorized(err)
	}
	if target == nil {
		return nil, errors.New("Config.Begin returned no Target and no error")
	}
	s := newSession(kind, c.user, n, *target, k.config.Now().Add(k.config.TTL))
	if s.Kind == kindPartial {
		s.Target = Target{MaxSize: target.MaxSize}
	} else if s.Target.Key == "" || strings.HasPrefix(s.Target.Key, k.config.Prefix) {
		return nil, errors.New("Config.Begin returned a Target whose Key is empty or below Config.Prefix")
	}
	if s.Target.MaxSize == 0 || k.config.MaxSize > 0 && s.Target.MaxSize > k.config.MaxSize {
		s.Target.MaxSize = k.config.MaxSize
	}
	if s.Target.MaxSize > 0 && n.Size > s.Target.MaxSize {
		return nil, tooLarge(sizeField, s.Target.MaxSize)
	}
	if s.Kind != kindPartial {
		if err := k.checkFeatures(&s.Target); err != nil {
			return nil, err
		}
	}
	if s.Target.ContentType == "" && storage.Supports(k.bucket, storage.ContentProperties) {
		s.Target.ContentType = cmp.Or(mediatype.ByExtension(s.Target.Key), "application/octet-stream")
	}
	if s.Kind != kindPartial && !s.Target.Overwrite {
		// It may appear later: the condition of the write decides.
		if there, err := k.bucket.Exists(c.Context(), s.Target.Key); err == nil && there {
			return nil, exists()
		}
	}
	return s, nil
}

// beginUpload begins the multipart upload of a session in the store.
func (k *keeper) beginUpload(ctx context.Context, s *session, more ...storage.MultipartOption) (storage.MultipartUpload, error) {
	opts := more
	for _, o := range k.writeOptions(s) {
		opts = append(opts, o)
	}
	upload, err := storage.BeginUpload(ctx, k.bucket, k.storeKey(s), opts...)
	switch code := storage.CodeOf(err); {
	case code == storage.TooLarge:
		e := refuse("size", TooLarge, "The file is larger than the store allows.")
		e.Err = err
		return nil, e
	case code == storage.InvalidArgument: // a Target of Config.Begin
		return nil, err
	case code == storage.Unsupported:
		return nil, unsupported(err)
	case err != nil:
		return nil, storeFailed(err)
	}
	s.Token = upload.Token()
	return upload, nil
}
