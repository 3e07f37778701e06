package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
)

// maxDocument limits the JSON in a request, in bytes.
const maxDocument = 1 << 20

// An answerFunc returns the response to a call of the page's script. Each call has its own type of
// response, which becomes JSON.
type answerFunc func(*http.Request) (any, error)

// respond calls answer and sends its result, or its error, as JSON.
func respond(w http.ResponseWriter, r *http.Request, answer answerFunc) {
	value, err := answer(r)
	if err != nil {
		webserver.SetRetryAfter(w.Header(), err, 0)
		storageErr := storage.AsError(r.Context(), err)
		refuse(w, statusOf(storageErr.Code), storageErr.Code, errorText(storageErr))
		return
	}
	webserver.WriteJSON(w, http.StatusOK, "application/json", value)
}

// errorText returns the code, the cause and the hint of an error for the page. It omits the names of the operation,
// the object and the bucket, which the page already shows.
func errorText(err *storage.Error) string {
	text := string(err.Code)
	hasCause := err.Err != nil && err.Err.Error() != string(err.Code)
	if hasCause {
		// The method Error masks secrets in the cause.
		unnamed := *err
		unnamed.Op = ""
		unnamed.Key = ""
		unnamed.Version = ""
		unnamed.Provider = ""
		unnamed.Bucket = ""
		unnamed.Hint = ""
		text = strings.TrimPrefix(unnamed.Error(), "storage: ")
	}
	if err.Hint != "" {
		text += " (" + err.Hint + ")"
	}
	return text
}

// refuse sends an error as JSON.
func refuse(w http.ResponseWriter, status int, code storage.Code, text string) {
	webserver.WriteJSON(w, status, "application/json", map[string]string{"error": text, "code": string(code)})
}

// statuses maps error codes to HTTP statuses. All other codes mean a failure of the server.
var statuses = map[storage.Code]int{
	storage.ObjectNotFound:     http.StatusNotFound,
	storage.BucketNotFound:     http.StatusNotFound,
	storage.InvalidArgument:    http.StatusBadRequest,
	storage.Unsupported:        http.StatusNotImplemented,
	storage.PermissionDenied:   http.StatusForbidden,
	storage.Unauthenticated:    http.StatusForbidden,
	storage.Archived:           http.StatusForbidden,
	storage.PreconditionFailed: http.StatusPreconditionFailed,
	storage.Changed:            http.StatusConflict,
	storage.TooLarge:           http.StatusRequestEntityTooLarge,
	storage.RateLimited:        http.StatusTooManyRequests,
	storage.Unavailable:        http.StatusServiceUnavailable,
	storage.DeadlineExceeded:   http.StatusGatewayTimeout,
}

// statusOf returns the HTTP status for an error code. Codes without one of their own are 500.
func statusOf(code storage.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

func invalidArgument(argument, rule string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "console", Err: errors.New(argument + " " + rule)}
}

// requireWrite returns answer if the page may change objects, and otherwise a function that refuses
// each call with PermissionDenied.
func (h *Handler) requireWrite(answer answerFunc) answerFunc {
	if h.config.Write {
		return answer
	}
	return func(*http.Request) (any, error) {
		return nil, readOnly
	}
}

var readOnly = &storage.Error{
	Code: storage.PermissionDenied,
	Err:  errors.New("this page may only read"),
	Hint: "start the program with --write, or set Write of its configuration",
}

// decodeBody decodes the JSON of a request's body into v. It fails with TooLarge for a body above
// maxDocument bytes, and otherwise with InvalidArgument.
func decodeBody(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDocument+1))
	if err != nil {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}
	if len(body) > maxDocument {
		return &storage.Error{Code: storage.TooLarge, Err: errors.New("the document must have at most 1 MiB")}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}
	return nil
}
