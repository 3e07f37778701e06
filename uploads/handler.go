package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime/multipart"
	"net/http"

	"github.com/omnibucket/storage"
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
	// OnError is told what a 5xx answer hides; nil: nobody.
	OnError func(*http.Request, error)
}

const (
	defaultMaxFiles = 10
	maxFormFields   = 100     // parts that are no files, which are passed over
	formOverhead    = 1 << 20 // bytes of such parts and of what frames the files
	maxJSON         = 64 << 10
)

// Handler offers the service over HTTP, under the path at which it is mounted:
//
//	POST   /                 multipart/form-data with files: 201 {"files": [Result, …]}
//	POST   /tickets          {"name", "type", "size"}: 201 Ticket, for a file that goes straight to the store
//	POST   /tickets/finish   {"token"}: 200 Result
//	DELETE /{key}            204
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
// The body is bounded, its duration is not: set http.Server.ReadTimeout, or a
// deadline by http.ResponseController, against those who send a byte a minute.
//
// InvalidArgument where c makes no sense.
func (s *Service) Handler(c HandlerConfig) (http.Handler, error) {
	if c.Authorize == nil {
		return nil, misconfigured("uploads.Handler", "HandlerConfig.Authorize", "must not be nil", "")
	}
	setDefault(&c.MaxFiles, defaultMaxFiles)
	if c.MaxFiles < 1 {
		return nil, misconfigured("uploads.Handler", "HandlerConfig.MaxFiles", "must be at least 1", "")
	}
	h := &handler{service: s, config: c}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", h.answer(h.storeForm))
	mux.HandleFunc("POST /tickets", h.answer(h.sign))
	mux.HandleFunc("POST /tickets/finish", h.answer(h.finish))
	mux.HandleFunc("DELETE /{key...}", h.answer(h.remove))
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
func (h *handler) answer(f func(*call) (status int, value any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store") // signed addresses and tokens are in it
		header.Set("X-Content-Type-Options", "nosniff")
		values, err := h.config.Authorize(r)
		if err != nil {
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
			writeJSON(w, status, "application/json", value)
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client is gone
}

// storeForm takes every file of a form, or none.
func (h *handler) storeForm(c *call) (status int, value any, err error) {
	c.Body = http.MaxBytesReader(c.w, c.Body, h.maxBody())
	parts, err := c.MultipartReader()
	if err != nil {
		return 0, nil, refuseField("", InvalidRequest, "The files have to come as multipart/form-data.")
	}
	var stored []*Result
	defer func() {
		if err != nil {
			h.removeAll(c.Context(), stored)
			// A browser that is still sending when the connection is closed shows its
			// user that, and not our words.
			_, _ = io.Copy(io.Discard, c.Body)
		}
	}()
	for fields := 0; ; {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, nil, formFailure(err)
		}
		if part.FileName() == "" {
			if part.FormName() == "" { // its header cannot be read: who knows what it is
				return 0, nil, refuseField("", InvalidRequest, "The form is not understood.")
			}
			if fields++; fields > maxFormFields {
				return 0, nil, refuseField("", InvalidRequest, "The form has too many fields.")
			}
			continue
		}
		r, err := h.storePart(c, part, len(stored))
		if err != nil {
			return 0, nil, err
		}
		stored = append(stored, r)
	}
	if len(stored) == 0 {
		return 0, nil, refuse(NoFile, "There is no file.")
	}
	return http.StatusCreated, map[string]any{"files": stored}, nil
}

func (h *handler) storePart(c *call, part *multipart.Part, before int) (*Result, error) {
	if before == h.config.MaxFiles {
		return nil, refuse(TooManyFiles, "There are too many files: send fewer at once.")
	}
	return h.service.StorePart(c.Context(), part, c.values)
}

// maxBody is the bytes of as many files as there may be.
func (h *handler) maxBody() int64 {
	files, each := int64(h.config.MaxFiles), h.service.config.MaxSize
	if each > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*each + formOverhead
}

// formFailure is one between the files.
func formFailure(err error) *Error {
	if e := interrupted(err); e.Code == TooLarge || errors.Is(err, io.ErrUnexpectedEOF) {
		return e
	}
	return refuseField("", InvalidRequest, "The form is not understood.")
}

func (h *handler) removeAll(ctx context.Context, stored []*Result) {
	for _, r := range stored {
		h.service.discard(ctx, r.Key)
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
	e := refuseField("", Internal, "Something went wrong here. Try again in a moment.")
	switch storage.CodeOf(err) {
	case storage.Unauthenticated:
		e = refuseField("", Unauthenticated, "Sign in first.")
	case storage.PermissionDenied:
		e = refuseField("", NotAllowed, "You may not do this.")
	}
	e.Err = err
	return e
}
