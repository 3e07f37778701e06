package uploads

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/s3routes"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/internal/tus"
)

// A handler serves all routes of a service over HTTP.
type handler struct {
	bucket  storage.ReadWriter
	config  *Config
	service *Service
	memory  *intake.Memory
	tus     *tus.Handler
	s3      *s3routes.Handler
}

// newHandler returns the handler of a service.
func newHandler(s *Service) *handler {
	h := &handler{bucket: s.setup.bucket, config: s.setup.config, service: s, memory: s.setup.memory}
	h.tus = &tus.Handler{
		Store:     s.keeper.Store,
		Uploads:   s.keeper,
		Memory:    s.setup.memory,
		Authorize: h.authorize,
		BaseURL:   s.setup.config.BaseURL,
		MaxSize:   s.setup.maxSize,
		Pace:      tus.DefaultPace,
	}
	h.s3 = &s3routes.Handler{
		Store:      s.keeper.Store,
		Uploads:    s.keeper,
		Memory:     s.setup.memory,
		ProxyParts: s.setup.config.ProxyParts,
		BaseURL:    s.setup.config.BaseURL,
		TTL:        s.setup.config.TTL,
		URLTTL:     s.setup.config.UploadTTL,
	}
	return h
}

// routes returns the routes of the handler, of which those below /s3/ are the ones of Uppy's Companion.
func (h *handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handleAll := func(pattern string, f func(*intake.Call) error) {
		mux.HandleFunc(pattern, h.respond(f))
	}
	handleUsers := func(pattern string, f func(*intake.Call) error) {
		mux.HandleFunc(pattern, h.respond(h.authorized(f)))
	}

	handleUsers("POST /{$}", h.service.storeForm)
	handleUsers("POST /tickets", h.signTicket)
	handleUsers("POST /tickets/finish", h.finishTicket)
	// The pattern has no method, because "DELETE /{key...}" would conflict with the patterns of tus.
	handleAll("/{key...}", h.serveFile)

	if storage.Supports(h.bucket, storage.OpenUploads) && conditional(h.config.States) {
		h.s3.Register(handleUsers, handleAll)
		h.tus.Register(handleAll)
	}
	return mux
}

// serveFile handles requests for the path of a file, which may only be removed.
func (h *handler) serveFile(c *intake.Call) error {
	switch c.Method {
	case http.MethodDelete:
		return h.authorized(h.removeFile)(c)
	case http.MethodGet, http.MethodHead:
		return refusal.New("", refusal.CodeNotFound, "There is nothing here.")
	}
	return c.MethodNotAllowed("DELETE")
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
	r = webserver.BeginRequest(w, r)
	isAnswered := s.handler.allowOrigin(w, r) // true for a preflight request
	if !isAnswered {
		s.mux().ServeHTTP(w, r)
	}
}

// maxDrain is how many bytes of a refused body are still read, so that the client sees the
// response.
const maxDrain = 4 << 20

// respond returns a handler that calls f and responds with its error. If f returns an error, it must not have
// written anything.
func (h *handler) respond(f func(*intake.Call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, body := webserver.BodyOf(r)
		c := &intake.Call{Request: r, W: w, Memory: h.memory}
		if err := f(c); err != nil {
			h.refuse(c, body, err)
		}
	}
}

// refuse responds to a request with an error, and reads the rest of the body, so that the client sees the response.
func (h *handler) refuse(c *intake.Call, body *webserver.Body, err error) {
	fail := func() { h.fail(c.W, c.Request, err) }
	if c.Refused == nil {
		// No goroutine reads the body.
		body.Refuse(c.W, c.Request, maxDrain, fail)
		return
	}

	// Stop the goroutine first. That ends its Read, after which net/http cancels the context of the request, so
	// continue without its cancellation.
	ctx := c.Context()
	if ctx.Err() == nil {
		ctx = context.WithoutCancel(ctx)
	}
	isStopped := c.Refused.Close()
	if !isStopped {
		// The goroutine still reads the body, so do not read the rest here.
		fail()
		return
	}
	webserver.Refuse(ctx, c.W, body.ReadCloser, maxDrain, fail)
}

// authorize returns the user who sends a request.
func (h *handler) authorize(r *http.Request) (session.User, error) {
	if h.config.Authorize == nil {
		return session.User{}, errors.New("Config.Authorize is nil")
	}
	user, err := h.config.Authorize(r)
	if err != nil {
		return session.User{}, refusal.Unauthorized(err)
	}
	return session.User(user), nil
}

// authorized returns a function that calls f after it has found out which user sends the request.
func (h *handler) authorized(f func(*intake.Call) error) func(*intake.Call) error {
	return func(c *intake.Call) error {
		user, err := h.authorize(c.Request)
		if err != nil {
			return err
		}
		c.User = user
		return f(c)
	}
}

// exposed lists the response headers that a page of another origin may read.
const exposed = "ETag, Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Complete, Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Limit, Upload-Metadata, Upload-Offset, X-Request-Id"

// allowOrigin sets the CORS headers, which permit pages of other origins to read the response. It responds to
// a preflight request itself, and returns true then.
func (h *handler) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || len(h.config.Origins) == 0 {
		return false
	}
	header := w.Header()
	// A cache must not give this response to a page of another origin.
	header.Add("Vary", "Origin")

	// Only a listed origin may send cookies.
	isListed := slices.ContainsFunc(h.config.Origins, func(listed string) bool {
		return strings.EqualFold(listed, origin)
	})
	isAnyAllowed := slices.Contains(h.config.Origins, "*")
	switch {
	case isListed:
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	case isAnyAllowed:
		header.Set("Access-Control-Allow-Origin", "*")
	default:
		return false
	}

	// A browser asks by a preflight whether it may send the real request.
	isPreflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if !isPreflight {
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

// signTicket handles POST /tickets, which signs a ticket for one file.
func (h *handler) signTicket(c *intake.Call) error {
	var body struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := c.ReadStrictJSON(&body, maxDocument); err != nil {
		return err
	}

	request := Request{Name: body.Name, Type: body.Type, Size: body.Size}
	ticket, err := h.service.Sign(c.Context(), request, User(c.User))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, ticket)
}

// finishTicket handles POST /tickets/finish. It continues after the client has disconnected, because a proxy
// with a short timeout could otherwise keep a large file from ever being copied.
func (h *handler) finishTicket(c *intake.Call) error {
	var body struct {
		Token string `json:"token"`
	}
	if err := c.ReadStrictJSON(&body, maxDocument); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), finishTimeout)
	defer cancel()
	f, err := h.service.Finish(ctx, body.Token, User(c.User))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, f)
}

// removeFile handles DELETE of a file. Config.DeleteShared must permit it, unless keys contain values of the
// user and so show the owner.
func (h *handler) removeFile(c *intake.Call) error {
	if len(h.service.setup.pattern.Values) == 0 && !h.config.DeleteShared {
		return refusal.New("key", refusal.CodeNotAllowed, "Files cannot be removed here.")
	}
	err := h.service.Delete(c.Context(), c.PathValue("key"), User(c.User))
	if err != nil {
		return err
	}
	c.W.WriteHeader(http.StatusNoContent)
	return nil
}

// maxDocument limits the JSON of a request that begins or ends one upload.
const maxDocument = 64 << 10

// problemTypes begins the types of problems that IANA has registered.
const problemTypes = "https://iana.org/assignments/http-problem-types#"

// A problem is the JSON of an error (RFC 9457). It reveals nothing about the store. Message has the
// same text as Detail, because Uppy shows only Message.
type problem struct {
	Type     string `json:"type,omitempty"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Message  string `json:"message"`
	Code     Code   `json:"code"`
	Field    string `json:"field,omitempty"`
	File     string `json:"file,omitempty"`
	Request  string `json:"requestId"`
	Key      string `json:"key,omitempty"`      // set if Code is Completed
	Location string `json:"location,omitempty"` // set if Code is Completed
	Expected *int64 `json:"expected-offset,omitempty"`
	Provided *int64 `json:"provided-offset,omitempty"`
}

// fail writes the response for an error, and passes an error of the server to Config.OnError.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	// An error that is not a refusal is a fault of the server.
	refused := refusal.Of(err)
	if refused == nil {
		refused = refusal.Internal(err)
	}

	// After context.Canceled, the client has gone or the server is stopping, so OnError is not called.
	status := refused.HTTPStatus()
	isServerError := status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled)
	if isServerError && h.config.OnError != nil {
		h.config.OnError(r, publicError(err))
	}

	webserver.RetryLater(w.Header(), status, err)
	p := problem{
		Title:    http.StatusText(status),
		Status:   status,
		Detail:   refused.Message,
		Message:  refused.Message,
		Code:     Code(refused.Code),
		Field:    webserver.Field(refused.Field),
		File:     refused.Name,
		Request:  w.Header().Get(webserver.RequestIDHeader),
		Key:      refused.Key,
		Location: refused.Location,
	}
	if refused.Problem != "" {
		p.Type = problemTypes + refused.Problem
	}
	if refused.Offsets != nil {
		p.Expected = &refused.Offsets.Expected
		p.Provided = &refused.Offsets.Provided
	}
	webserver.WriteJSON(w, status, "application/problem+json", p)
}
