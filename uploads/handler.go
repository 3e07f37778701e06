package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// A handler serves all routes of a service over HTTP.
type handler struct {
	bucket  storage.ReadWriter
	config  *Config
	service *Service
	keeper  *keeper
	memory  *intake.Memory
	pace    pace
}

// routes returns the routes. The paths below /s3/ are those of Uppy's companion.
func (h *handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*call) error) { mux.HandleFunc(pattern, h.respond(h.authorized(f))) }
	handle("POST /{$}", h.storeForm)
	handle("POST /tickets", h.signTicket)
	handle("POST /tickets/finish", h.finishTicket)
	mux.HandleFunc(
		"/{key...}",
		// the pattern has no method, because "DELETE /{key...}" would conflict with the patterns of
		// tus
		h.respond(func(c *call) error {
			switch c.Method {
			case http.MethodDelete:
				return h.authorized(h.removeFile)(c)
			case http.MethodGet, http.MethodHead:
				return refuse("", NotFound, "There is nothing here.")
			}
			return methodNotAllowed(c, "DELETE")
		}),
	)
	if !storage.Supports(h.bucket, storage.OpenUploads) || !conditional(h.config.States) {
		return mux
	}
	handle("POST /s3/multipart", h.beginParts)
	handle("GET /s3/multipart/{id}", h.listParts)
	handle("GET /s3/multipart/{id}/{part}", h.signPart)
	handle("GET /s3/multipart/{id}/batch", h.signParts)
	handle("POST /s3/multipart/{id}/complete", h.completeParts)
	handle("DELETE /s3/multipart/{id}", h.abortParts)
	handle("GET /s3/params", h.beginSingle)
	mux.HandleFunc("PUT /s3/single/{id}", h.respond(h.putSingle))
	mux.HandleFunc("POST /s3/single/{id}", h.respond(h.putSingle)) // Uppy 6 sends the file in a form
	mux.HandleFunc("PUT /s3/part/{id}/{part}", h.respond(h.putPart))
	t := &tus{handler: h}
	for _, pattern := range []string{"/tus", "/tus/{$}", "/tus/{id}"} {
		mux.HandleFunc(pattern, h.respond(t.serveTus))
	}
	return mux
}

func methodNotAllowed(c *call, allowed string) *Error {
	c.w.Header().Set("Allow", allowed)
	e := refuse("method", InvalidRequest, "This method is not allowed here.")
	e.Status = http.StatusMethodNotAllowed
	return e
}

// ServeHTTP responds to a request. Mount the service with [http.StripPrefix]. The package
// documentation has the routes.
//
// Only one request at a time can send bytes of a tus upload. A newer PATCH or HEAD ends an older
// PATCH, as in tusd, because the older PATCH usually has a dead connection. The service stores the
// bytes that have arrived with the older PATCH, and responds to the older PATCH with 423. A tus
// client that gets 423 asks for the offset and continues the upload. So if two browser tabs send
// the same upload, each tab interrupts the other tab, and both tabs add bytes to the upload.
//
// If the context of a request ends, the bytes so far are stored, and the client gets 503. Set the
// BaseContext of the server, and cancel it before [http.Server.Shutdown]. Otherwise Shutdown waits
// until all clients have sent their files:
//
//	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
//	…
//	cancel()
//	err := server.Shutdown(context.Background())
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = webapi.Begin(w, r)
	if !s.handler.allowOrigin(w, r) {
		s.mux().ServeHTTP(w, r)
	}
}

type call struct {
	*http.Request
	w           http.ResponseWriter
	memory      *intake.Memory
	user        User
	name        string          // name of the file in the request
	interrupted <-chan struct{} // closed when another request wants to continue the upload
	last        bool            // true if this body ends the file, even if its length was not announced
	refused     *feed           // set if the body was refused after a part of it was read
}

func (c *call) json(status int, value any) error {
	webapi.WriteJSON(c.w, status, "application/json", value)
	return nil
}

// maxDrain is how many bytes of a refused body are still read, so that the client sees the
// response.
const maxDrain = 4 << 20

// respond returns a handler that calls f. f must either write a response and return nil, or return
// an error before it has written anything.
func (h *handler) respond(f func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, body := drain.Of(r)
		c := &call{Request: r, w: w, memory: h.memory}
		err := f(c)
		ctx := r.Context()
		if ctx.Err() == nil {
			ctx = context.WithoutCancel(ctx) // the method close below ends a Read, and net/http then cancels ctx
		}
		switch {
		case err == nil:
		case c.refused == nil:
			body.Refuse(w, r, maxDrain, func() {
				h.fail(w, r, err)
			})
		case c.refused.close():
			drain.Respond(ctx, w, body.ReadCloser, maxDrain, func() {
				h.fail(w, r, err)
			})
		default:
			h.fail(w, r, err)
		}
	}
}

func (h *handler) authorized(f func(*call) error) func(*call) error {
	return func(c *call) (err error) {
		if h.config.Authorize == nil {
			return errors.New("Config.Authorize is nil")
		}
		if c.user, err = h.config.Authorize(c.Request); err != nil {
			return unauthorized(err)
		}
		return f(c)
	}
}

// exposed lists the response headers that a page of another origin may read.
const exposed = "ETag, Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Complete, Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Limit, Upload-Metadata, Upload-Offset, X-Request-Id"

// allowOrigin writes the CORS headers for pages of other origins. If the request is a preflight
// request, allowOrigin responds to it and returns true.
func (h *handler) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
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
	if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
		header.Set("Access-Control-Allow-Headers", headers)
	}
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (h *handler) signTicket(c *call) error {
	var asked struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return err
	}
	t, err := h.service.Sign(c.Context(), Request{Name: asked.Name, Type: asked.Type, Size: asked.Size}, c.user)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, t)
}

// finishTicket continues after the client has disconnected. Otherwise a proxy with a short timeout
// could prevent a large file from ever being copied.
func (h *handler) finishTicket(c *call) error {
	var asked struct {
		Token string `json:"token"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), finishTimeout)
	defer cancel()
	f, err := h.service.Finish(ctx, asked.Token, c.user)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, f)
}

func (h *handler) removeFile(c *call) error {
	if len(h.service.pattern.Values) == 0 && !h.config.DeleteShared {
		return refuse("key", NotAllowed, "Files cannot be removed here.")
	}
	if err := h.service.Delete(c.Context(), c.PathValue("key"), c.user); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// smallDocument is the size in bytes up to which a JSON document takes no memory from MemoryLimit.
const smallDocument = 4 << 10

// readJSON decodes a JSON body. limit is the greatest length of the body in bytes. If
// strict is true, readJSON refuses unknown fields. It requires the type application/json, which a
// page of another origin cannot send without a preflight request.
//
// If the body may be longer than smallDocument, readJSON takes memory for the whole body from
// Config.MemoryLimit. If a body arrives slowly, the decoder holds all of it in memory.
func readJSON(c *call, dst any, limit int64, strict bool) error {
	if mediaType, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil ||
		mediaType != "application/json" {
		return wrongType("The request must be application/json.")
	}
	if length := c.ContentLength; length < 0 || length > smallDocument {
		if length < 0 || length > limit {
			length = limit
		}
		release, err := intake.Take(c.memory.Feeds, c.Request, c.user.ID, length)
		if err != nil {
			return busy(err)
		}
		defer release()
	}
	d := json.NewDecoder(http.MaxBytesReader(c.w, intake.Body(c.w, c.Request), limit))
	d.UseNumber() // a float64 would change long numbers in metadata
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(dst); err != nil {
		return refuse("", InvalidRequest, "The request is not understood.")
	}
	return nil
}
