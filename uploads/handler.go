package uploads

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/internal/webapi"
)

// HandlerConfig says who may upload, and how many at once.
type HandlerConfig struct {
	// Authorize tells by the request's session or token whose files these are:
	// the Values of the key's pattern. storage.Unauthenticated is answered 401,
	// storage.PermissionDenied 403, an *Error as it is, anything else 500 without
	// a word of it. It must not read the body.
	Authorize func(*http.Request) (Values, error)
	// MaxFiles bounds the files of one form; 0: 10.
	MaxFiles int
	// DeleteShared offers DELETE also where Config.Key has no values of the
	// application's, as DefaultKey: then nothing tells whose a file is, and
	// everybody whom Authorize lets in may delete every file. Without it such a
	// DELETE is NotAllowed.
	DeleteShared bool
	// OnError is told what a 5xx answer hides; nil: nobody.
	OnError func(*http.Request, error)
}

const (
	defaultMaxFiles = 10
	maxJSON         = 64 << 10
)

// Handler offers the service over HTTP, under the path at which it is mounted:
//
//	POST   /                 multipart/form-data with files: 201 {"files": [Result, …]}
//	POST   /tickets          {"name", "type", "size"}: 201 Ticket, for a file that goes straight to the store
//	POST   /tickets/finish   {"token"}: 200 Result
//	DELETE /{key}            204; see DeleteShared
//
//	mux.Handle("/uploads/", http.StripPrefix("/uploads", handler))
//
// A form is taken whole or not at all: where one file is refused, those before
// it are removed again, and those behind it passed over. Errors are problem
// details (RFC 9457) with code, field, file and words for a person:
//
//	{"title": "Unsupported Media Type", "status": 415, "code": "type_not_allowed", "field": "photo",
//	 "file": "me.png", "detail": "This kind of file cannot be uploaded …"}
//
// A browser sends a form of another site along with its cookies. Where Authorize
// goes by cookies, wrap the handler in http.CrossOriginProtection, or check a
// token of your own in Authorize:
//
//	http.NewCrossOriginProtection().Handler(handler)
//
// Where a file is refused, some MiB of what follows are still read, so that the
// browser sees the answer; of more, the connection is closed.
//
// The body is bounded, its duration is not: set http.Server.ReadTimeout, or a
// deadline by http.ResponseController, against those who send a byte a minute.
//
// InvalidArgument where c makes no sense.
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
	mux.HandleFunc("POST /tickets/finish", h.respond(h.finish))
	mux.HandleFunc("DELETE /{key...}", h.respond(h.remove))
	return mux, nil
}

type handler struct {
	service *Service
	config  HandlerConfig
}

// A call is one request of somebody who is known.
type call struct {
	*http.Request
	w      http.ResponseWriter
	values Values
}

// answer writes what f returns, as JSON where there is anything.
func (h *handler) respond(f func(*call) (status int, value any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store") // signed addresses and tokens are in it
		header.Set("X-Content-Type-Options", "nosniff")
		values, err := h.config.Authorize(r)
		if err != nil {
			if r.Body != nil && r.ProtoMajor == 1 && r.Header.Get("Expect") == "" { // else it was not sent yet
				drain.Body(w, r.Body, maxDrain)
			}
			h.fail(w, r, unauthorized(err))
			return
		}
		status, value, err := f(&call{r, w, values})
		switch {
		case err != nil:
			h.fail(w, r, err)
		case value == nil:
			w.WriteHeader(status)
		default:
			webapi.WriteJSON(w, status, "application/json", value)
		}
	}
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

func (h *handler) finish(c *call) (status int, value any, err error) {
	var asked struct {
		Token string `json:"token"`
	}
	if err := readJSON(c, &asked); err != nil {
		return 0, nil, err
	}
	r, err := h.service.Finish(c.Context(), asked.Token, c.values)
	return http.StatusOK, r, err
}

func (h *handler) remove(c *call) (status int, value any, err error) {
	if len(h.service.pattern.values) == 0 && !h.config.DeleteShared {
		return 0, nil, refuseField("key", NotAllowed, "Files cannot be removed here.")
	}
	return http.StatusNoContent, nil, h.service.Delete(c.Context(), c.PathValue("key"), c.values)
}

// readJSON reads a small document and nothing else.
func readJSON(c *call, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(c.w, c.Body, maxJSON))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return refuseField("", InvalidRequest, "The request is not understood.")
	}
	return nil
}

// unauthorized is Authorize's error as one of ours.
func unauthorized(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	code, message := webapi.FromAuthorize[Code](err)
	return &Error{Code: code, Message: message, Err: err}
}
