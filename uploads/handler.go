package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/internal/webapi"
)

// HandlerConfig says who may upload, and how many files at once.
type HandlerConfig struct {
	// Authorize determines from the request's session or token whose files these are,
	// and returns the [Values] of the key's pattern. [storage.Unauthenticated]
	// becomes 401, [storage.PermissionDenied] 403, and an *Error its own response.
	// Any other error becomes 500 and is not shown. Authorize must not read the body.
	Authorize func(*http.Request) (Values, error)
	// MaxFiles limits the files in one form; 0: 10.
	MaxFiles int
	// DeleteShared offers DELETE even if Config.Key has no values, like [DefaultKey].
	// Nothing then says whose a file is: any user whom Authorize admits may delete
	// any file. Without DeleteShared, such a DELETE fails with NotAllowed.
	DeleteShared bool
	// OnError receives the errors that 5xx responses hide; nil: they are dropped.
	OnError func(*http.Request, error)
}

const (
	defaultMaxFiles = 10
	maxJSON         = 64 << 10
	finishTimeout   = 15 * time.Minute
)

// Handler offers the service over HTTP, under the path at which it is mounted:
//
//	POST   /                 multipart/form-data with files: 201 {"files": [Result, …]}
//	POST   /tickets          {"name", "type", "size"}: 201 Ticket, for a file that goes straight to the store
//	POST   /tickets/parts    {"token", "numbers": [1, 2]}: 200 {"parts": [{"number", "put"}, …]}, requests for up to 1,000 parts
//	POST   /tickets/stored   {"token"}: 200 {"numbers": [1, …]}, the parts that have arrived
//	POST   /tickets/finish   {"token"}: 200 Result
//	POST   /tickets/abort    {"token"}: 204; only for a ticket in parts, and 409 if the file is complete
//	DELETE /{key}            204; see DeleteShared
//
//	mux.Handle("/uploads/", http.StripPrefix("/uploads", handler))
//
// A form is stored whole or not at all. If one file is refused, the files before it
// are removed again, and those after it are ignored. Errors are problem details (RFC
// 9457) with code, field, file and a sentence for a person:
//
//	{"title": "Unsupported Media Type", "status": 415, "code": "type_not_allowed", "field": "photo",
//	 "file": "me.png", "detail": "This kind of file cannot be uploaded …"}
//
// A browser sends a form of another site with the user's cookies. If Authorize uses
// cookies, wrap the handler in [http.CrossOriginProtection], or check a token of your
// own in Authorize:
//
//	http.NewCrossOriginProtection().Handler(handler)
//
// If the client disconnects, a file is finished all the same: joining and copying a large
// one may take minutes. A client that asks again gets it.
//
// After a refusal, the handler reads up to 4 MiB of the rest, so that the browser
// sees the response. If there is more, it closes the connection.
//
// The handler limits the length of a body, but not its duration. To stop clients that
// send a byte a minute, set http.Server.ReadTimeout, or a deadline with
// [http.ResponseController].
//
// If c is invalid, Handler fails with InvalidArgument.
func (s *Service) Handler(c HandlerConfig) (http.Handler, error) {
	if c.Authorize == nil {
		return nil, webapi.Misconfigured("uploads.Handler", "HandlerConfig.Authorize", "must not be nil", "")
	}
	setDefault(&c.MaxFiles, defaultMaxFiles)
	if c.MaxFiles < 1 {
		return nil, webapi.Misconfigured("uploads.Handler", "HandlerConfig.MaxFiles", "must be at least 1", "")
	}
	h := &handler{service: s, config: c}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", h.respond(h.storeForm))
	mux.HandleFunc("POST /tickets", h.respond(h.sign))
	mux.HandleFunc("POST /tickets/parts", h.respond(h.signParts))
	mux.HandleFunc("POST /tickets/stored", h.respond(h.storedParts))
	mux.HandleFunc("POST /tickets/finish", h.respond(h.finish))
	mux.HandleFunc("POST /tickets/abort", h.respond(h.abort))
	mux.HandleFunc("DELETE /{key...}", h.respond(h.remove))
	return mux, nil
}

type handler struct {
	service *Service
	config  HandlerConfig
}

// A call is one request of a known user.
type call struct {
	*http.Request
	w      http.ResponseWriter
	values Values
	form   io.Reader // the body, if it is a form that is being read
}

// respond writes the result of f, as JSON if it is not nil.
func (h *handler) respond(f func(*call) (status int, value any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store") // responses have signed addresses and tokens
		header.Set("X-Content-Type-Options", "nosniff")
		values, err := h.config.Authorize(r)
		if err != nil {
			h.refuse(&call{Request: r, w: w}, unauthorized(err))
			return
		}
		c := &call{Request: r, w: w, values: values}
		status, value, err := f(c)
		switch {
		case err != nil:
			h.refuse(c, err)
		case value == nil:
			w.WriteHeader(status)
		default:
			webapi.WriteJSON(w, status, "application/json", value)
		}
	}
}

// maxDrain is how many bytes of a refused body are still read.
const maxDrain = 4 << 20

// refuse responds with err, and reads the rest of the body. A client that waits for
// "100 Continue" has sent nothing yet.
func (h *handler) refuse(c *call, err error) {
	rest := c.form
	if rest == nil && c.Header.Get("Expect") == "" {
		rest = c.Body
	}
	if rest == nil || rest == http.NoBody || c.ProtoMajor != 1 {
		h.fail(c.w, c.Request, err)
		return
	}
	drain.Respond(c.Context(), c.w, rest, maxDrain, func() { h.fail(c.w, c.Request, err) })
}

func (h *handler) sign(c *call) (status int, value any, err error) {
	var asked struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := readJSON(c, &asked); err != nil {
		return 0, nil, err
	}
	t, err := h.service.Sign(c.Context(), Request{Name: asked.Name, ClaimedType: asked.Type, Size: asked.Size, Values: c.values})
	return http.StatusCreated, t, err
}

// finish continues if the client disconnects, so that a proxy without patience does not keep a
// large file from being copied.
func (h *handler) finish(c *call) (status int, value any, err error) {
	token, err := readToken(c)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), finishTimeout)
	defer cancel()
	r, err := h.service.Finish(ctx, token, c.values)
	return http.StatusOK, r, err
}

func (h *handler) remove(c *call) (status int, value any, err error) {
	if len(h.service.pattern.values) == 0 && !h.config.DeleteShared {
		return 0, nil, refuseField("key", NotAllowed, "Files cannot be removed here.")
	}
	return http.StatusNoContent, nil, h.service.Delete(c.Context(), c.PathValue("key"), c.values)
}

// readToken reads a document that has only a token.
func readToken(c *call) (string, error) {
	var asked struct {
		Token string `json:"token"`
	}
	err := readJSON(c, &asked)
	return asked.Token, err
}

// readJSON reads a small document, and refuses unknown fields.
func readJSON(c *call, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(c.w, c.Body, maxJSON))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return refuseField("", InvalidRequest, "The request is not understood.")
	}
	return nil
}

// unauthorized converts an error of Authorize.
func unauthorized(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	code, message := webapi.FromAuthorize[Code](err)
	return &Error{Code: code, Message: message, Err: err}
}
