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

// routes returns the routes. Those of the S3 protocol are of Uppy's companion.
func (svc *Service) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*call) error) { mux.HandleFunc(pattern, svc.respond(svc.authorized(f))) }
	handle("POST /{$}", svc.storeForm)
	handle("POST /tickets", svc.signTicket)
	handle("POST /tickets/finish", svc.finishTicket)
	mux.HandleFunc("/{key...}", svc.respond(func(c *call) error { // a pattern with DELETE would conflict with those of tus
		switch c.Method {
		case http.MethodDelete:
			return svc.authorized(svc.removeFile)(c)
		case http.MethodGet, http.MethodHead:
			return refuse("", NotFound, "There is nothing here.")
		}
		return methodNotAllowed(c, "DELETE")
	}))
	if !storage.Supports(svc.bucket, storage.OpenUploads) || !conditional(svc.config.States) {
		return mux
	}
	handle("POST /s3/multipart", svc.beginParts)
	handle("GET /s3/multipart/{id}", svc.listParts)
	handle("GET /s3/multipart/{id}/{part}", svc.signPart)
	handle("GET /s3/multipart/{id}/batch", svc.signParts)
	handle("POST /s3/multipart/{id}/complete", svc.completeParts)
	handle("DELETE /s3/multipart/{id}", svc.abortParts)
	handle("GET /s3/params", svc.beginSingle)
	mux.HandleFunc("PUT /s3/single/{id}", svc.respond(svc.putSingle))
	mux.HandleFunc("POST /s3/single/{id}", svc.respond(svc.putSingle)) // a form, as Uppy 6 sends
	mux.HandleFunc("PUT /s3/part/{id}/{part}", svc.respond(svc.putPart))
	for _, pattern := range []string{"/tus", "/tus/{$}", "/tus/{id}"} {
		mux.HandleFunc(pattern, svc.respond(svc.serveTus))
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
// One request at a time sends the bytes of a tus upload. A newer PATCH or HEAD ends an older
// PATCH, as in tusd, because the older one is usually that of a dead connection. The bytes
// that it received are stored first, and its client gets 423. tus clients then ask for the
// offset and continue, so two tabs with the same upload take turns.
//
// If the context of a request ends, as with the BaseContext of the server, the bytes so far are
// stored, and the client gets 503. Cancel that context before [http.Server.Shutdown], which
// otherwise waits until all clients have sent their files:
//
//	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
//	…
//	cancel()
//	err := server.Shutdown(context.Background())
func (svc *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = webapi.Begin(w, r)
	if !svc.allowOrigin(w, r) {
		svc.mux.ServeHTTP(w, r)
	}
}

type call struct {
	*http.Request
	w       http.ResponseWriter
	memory  *intake.Memory
	user    User
	last    bool  // the body ends a file whose length may be unknown
	refused *feed // of the body of a request that is refused after some of it was received
}

func (c *call) json(status int, value any) error {
	webapi.WriteJSON(c.w, status, "application/json", value)
	return nil
}

// maxDrain is how many bytes of a refused body are still read.
const maxDrain = 4 << 20

// respond runs f. f either responds, or returns an error before it has written anything.
func (svc *Service) respond(f func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, body := drain.Of(r)
		c := &call{Request: r, w: w, memory: svc.memory}
		err := f(c)
		switch {
		case err == nil:
		case c.refused == nil:
			body.Refuse(w, r, maxDrain, func() { svc.fail(w, r, err) })
		case c.refused.close():
			drain.Respond(r.Context(), w, body.ReadCloser, maxDrain, func() { svc.fail(w, r, err) })
		default:
			svc.fail(w, r, err)
		}
	}
}

func (svc *Service) authorized(f func(*call) error) func(*call) error {
	return func(c *call) (err error) {
		if svc.config.Authorize == nil {
			return errors.New("Config.Authorize is nil")
		}
		if c.user, err = svc.config.Authorize(c.Request); err != nil {
			return unauthorized(err)
		}
		return f(c)
	}
}

// exposed are the headers of responses that a page of another origin may read.
const exposed = "ETag, Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Complete, Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Limit, Upload-Metadata, Upload-Offset, X-Request-Id"

// allowOrigin writes the headers for pages of other origins, and reports whether the
// request was a preflight and has its response.
func (svc *Service) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || len(svc.config.Origins) == 0 {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	switch {
	case slices.ContainsFunc(svc.config.Origins, func(o string) bool { return strings.EqualFold(o, origin) }):
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	case slices.Contains(svc.config.Origins, "*"):
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

func (svc *Service) signTicket(c *call) error {
	var asked struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return err
	}
	t, err := svc.Sign(c.Context(), Request{Name: asked.Name, Type: asked.Type, Size: asked.Size}, c.user)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, t)
}

// finishTicket continues if the client disconnects, so that a proxy without patience does not keep a
// large file from being copied.
func (svc *Service) finishTicket(c *call) error {
	var asked struct {
		Token string `json:"token"`
	}
	if err := readJSON(c, &asked, maxBegin, true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), finishTimeout)
	defer cancel()
	f, err := svc.Finish(ctx, asked.Token, c.user)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, f)
}

func (svc *Service) removeFile(c *call) error {
	if len(svc.pattern.Values) == 0 && !svc.config.DeleteShared {
		return refuse("key", NotAllowed, "Files cannot be removed here.")
	}
	if err := svc.Delete(c.Context(), c.PathValue("key"), c.user); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// smallDocument is how many bytes a document has that takes no memory of others.
const smallDocument = 4 << 10

// readJSON reads a document of at most this many bytes. If it is strict, unknown fields are refused. A page
// of another origin cannot send this type without a preflight. A decoder holds all of a document that comes
// slowly.
func readJSON(c *call, to any, most int64, strict bool) error {
	if mediaType, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return wrongType("The request must be application/json.")
	}
	if length := c.ContentLength; length < 0 || length > smallDocument {
		if length < 0 || length > most {
			length = most
		}
		release, err := intake.Take(c.memory.Feeds, c.Request, c.user.ID, length)
		if err != nil {
			return busy(err)
		}
		defer release()
	}
	d := json.NewDecoder(http.MaxBytesReader(c.w, intake.Body(c.w, c.Request), most))
	d.UseNumber() // in metadata: a float64 would change numbers with many digits
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(to); err != nil {
		return refuse("", InvalidRequest, "The request is not understood.")
	}
	return nil
}
