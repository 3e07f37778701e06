// Package filesapi serves the files of a [uploads.Service] with records over HTTP. Its API has
// client files, which stay, and temp files, which are removed after some time. The JSON of a
// [Record] has names of its own, such as "OriginalFileName", and not those of [uploads.File].
package filesapi

import (
	"cmp"
	_ "embed"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/uploads"
)

// OpenAPI is the description of the API that [New] serves, as OpenAPI 3.1 in YAML. The handler
// returns it to anyone at /openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Config says who may use the API, and limits the size of requests.
type Config struct {
	// Authorize determines the user from the request's session or token. The user's ID becomes
	// Record.UploadedBy. Request.Pattern names the operation ("DELETE /files/{id}").
	// Request.PathValue("id") returns the ID of the file. Errors become responses in the same way
	// as errors of Authorize in [uploads.Config]. Authorize must not read the body.
	Authorize func(*http.Request) (uploads.User, error)
	// AuthorizeFile is called after Authorize for each file that a request names. For a request
	// that deletes several files, it is called for each of them. Its errors become responses in the
	// same way as errors of Authorize, and [storage.ObjectNotFound] becomes 404. If AuthorizeFile
	// is nil, an authorized user may do anything with a file whose ID the user knows.
	//
	// AuthorizeFile is not called for the files of a list. If a user may not see all files,
	// Authorize must refuse "GET /files", or require its parameter uploadedBy.
	AuthorizeFile func(r *http.Request, user uploads.User, id string) error
	// MaxUploadSize is the size of the largest file, or part of a file, that one request may send,
	// in bytes. If it is 0, 100 MiB are used.
	MaxUploadSize int64
	// MaxDelete is how many files one request may delete. If MaxDelete is 0, the limit is 1,000.
	MaxDelete int
	// TempAge is the age after which [uploads.Service.Sweep] removes a temp file. If it is 0, 24
	// hours are used.
	TempAge time.Duration
	// OnError receives the error behind each 5xx response. The response does not show this error.
	// If OnError is nil, these errors are dropped. The request that OnError receives has the header
	// X-Request-Id, with the ID that the client received.
	OnError func(*http.Request, error)
}

const (
	defaultMaxUploadSize = 100 << 20
	defaultMaxDelete     = 1000
	defaultTempAge       = 24 * time.Hour
)

// New returns a handler that offers the files of s, under the path at which it is mounted:
//
//	GET    /files                     a page of records: purpose, uploadedBy, from, to, pageToken, pageSize
//	POST   /files                     form: Purpose, file → 201 and the record
//	POST   /files/parts               form: originalFileName, token, count, part, Purpose, file
//	                                  → 202; after the last part: 201 and the record
//	POST   /files/delete              {"Items": [ID, …]} → the result for each
//	GET    /files/{id}                the record
//	DELETE /files/{id}                → 204
//	PUT    /files/{id}/purpose        {"Purpose": "…"} → the record
//	GET    /files/{id}/content        the bytes
//	POST   /temp-files                as with files
//	POST   /temp-files/parts
//	GET    /temp-files/{id}/content
//	GET    /openapi.yaml              OpenAPI
//
//	mux.Handle("/api/", http.StripPrefix("/api", handler))
//
// The fields of a form may come in any order. In the form of a part, "file" must be last, because
// its bytes go to the store as they arrive. In the form of a whole file, Purpose may follow the
// file. The MIME type does not come from the form. If [uploads.Config.Rules] check the content, it
// is the type that they detect. Otherwise it is guessed from the name and the first bytes.
// Downloads are attachments with the original name. They support ranges, ETags and conditional
// requests. A browser never runs them as a page of this host.
//
// Errors are JSON with the code and field of the [uploads.Error], a message for a person, and the
// request's ID. Only the 412 of a failed condition has no body. The header X-Request-Id of every
// response has the same ID:
//
//	{"code": "invalid_value", "field": "count", "message": "…", "requestId": "…"}
//
// A page of another site can submit a form to the handler, and the browser adds the user's cookies.
// If Authorize uses cookies, wrap the handler in [http.CrossOriginProtection], or check a token of
// your own in Authorize. A client that sends less than 16 KiB of a body in a minute is
// disconnected. [uploads.Config.MemoryLimit] limits the memory of all requests that send bytes. A
// client that finds no memory waits, and then gets 503.
//
// If c is invalid, or s has no [uploads.Config.Records], New fails with storage.InvalidArgument.
func New(s *uploads.Service, c Config) (http.Handler, error) {
	const op = "filesapi.New"
	if s == nil || s.Records() == nil {
		return nil, argument.InvalidFor(op, "the service", "must have records", "set uploads.Config.Records")
	}
	if c.Authorize == nil {
		return nil, argument.InvalidFor(op, "Config.Authorize", "must not be nil", "")
	}
	if c.MaxUploadSize < 0 || c.MaxDelete < 0 || c.TempAge < 0 {
		return nil, argument.InvalidFor(op, "Config", "has a negative limit", "")
	}
	c.MaxUploadSize = cmp.Or(c.MaxUploadSize, defaultMaxUploadSize)
	c.MaxDelete = cmp.Or(c.MaxDelete, defaultMaxDelete)
	c.TempAge = cmp.Or(c.TempAge, defaultTempAge)

	h := &handler{service: s, config: c}
	return h.mux(), nil
}

// A handler serves the API.
type handler struct {
	service *uploads.Service
	config  Config
}

// A route is one operation of the API, as the OpenAPI description lists it.
type route struct {
	method, path string
	serve        func(*call) error
}

// These say whether a request is for a temp file.
const (
	clientFile = false
	tempFile   = true
)

// routes returns the operations of the API, except that of the description itself.
func (h *handler) routes() []route {
	return []route{
		{http.MethodGet, "/files", h.list},
		{http.MethodPost, "/files", h.uploadFile},
		{http.MethodPost, "/files/parts", h.uploadFilePart},
		{http.MethodPost, "/files/delete", h.deleteMany},
		{http.MethodGet, "/files/{id}", h.details},
		{http.MethodDelete, "/files/{id}", h.delete},
		{http.MethodPut, "/files/{id}/purpose", h.setPurpose},
		{http.MethodGet, "/files/{id}/content", h.downloadFile},
		{http.MethodPost, "/temp-files", h.uploadTempFile},
		{http.MethodPost, "/temp-files/parts", h.uploadTempFilePart},
		{http.MethodGet, "/temp-files/{id}/content", h.downloadTempFile},
	}
}

// mux returns a handler of the routes of the API, which also answers unknown paths and methods in JSON.
func (h *handler) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.yaml", h.respond(sendOpenAPI))
	for _, route := range h.routes() {
		serve := route.serve
		if route.method == http.MethodPost || route.method == http.MethodPut {
			serve = h.withReceiveLimit(serve)
		}
		mux.HandleFunc(route.method+" "+route.path, h.respond(h.authorized(serve)))
	}
	mux.HandleFunc("/", h.respond(func(c *call) error {
		return refuseUnknown(c, mux)
	}))
	return mux
}

// sendOpenAPI sends the OpenAPI description of the API.
func sendOpenAPI(c *call) error {
	c.w.Header().Set("Content-Type", "application/yaml")
	_, _ = c.w.Write(OpenAPI) // fails only if the client has disconnected
	return nil
}

// refuseUnknown returns the error for a request that no route of mux handles. If the path has other methods,
// it sets the header Allow.
func refuseUnknown(c *call, mux *http.ServeMux) error {
	var allowed []string
	trial := c.Clone(c.Context())
	methods := []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut}
	for _, method := range methods {
		trial.Method = method
		_, pattern := mux.Handler(trial)
		if pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return refuse("", uploads.NotFound, "There is nothing here.")
	}

	c.w.Header().Set("Allow", strings.Join(allowed, ", "))
	err := refuse("", uploads.InvalidRequest, "This method is not allowed here.")
	err.Status = http.StatusMethodNotAllowed
	return err
}
