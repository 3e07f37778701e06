package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/uploads"
)

const (
	// uploadTTL is how long an upload may take. An upload is aborted after it had no request for
	// the time maxIdle. The service forgets an upload after uploadTTL, and can then no longer abort
	// it. So maxIdle must be much shorter than uploadTTL.
	uploadTTL = 7 * 24 * time.Hour
	maxIdle   = 23 * time.Hour

	maxAnswer = 64 << 10 // largest number of bytes that are kept from the body of one response
)

// openUploads lists the uploads that are not complete, so that the handler can abort abandoned
// ones. The parts of an upload cost money until it is aborted, and only this program knows the
// upload.
type openUploads struct {
	now func() time.Time

	mu      sync.Mutex
	uploads map[openUpload]time.Time // time of the last request, by upload
}

type openUpload struct {
	service *uploads.Service
	id      string
	key     string // key of the object
}

// serve passes a request to a service, and keeps track of the upload that it begins, continues or
// ends.
func (o *openUploads) serve(w http.ResponseWriter, r *http.Request, service *uploads.Service) {
	key, _ := r.Context().Value(uploadKey{}).(string)
	if r.Method == http.MethodPost && r.URL.Path == "/s3/multipart" {
		o.serveBegin(w, r, service, key)
		return
	}

	// The path is /s3/multipart/<id> or /s3/multipart/<id>/<action>.
	rest, inUpload := strings.CutPrefix(r.URL.Path, "/s3/multipart/")
	id, action, _ := strings.Cut(rest, "/")
	isComplete := action == "complete"
	isAbort := action == "" && r.Method == http.MethodDelete

	answer := &answerCopy{ResponseWriter: w}
	service.ServeHTTP(answer, r)
	if !inUpload || id == "" {
		return
	}
	isEnded := (isComplete || isAbort) && answer.succeeded()
	o.record(openUpload{service: service, id: id, key: key}, isEnded)
}

// serveBegin passes a request that begins an upload to a service, records the upload, and aborts
// those that are idle.
func (o *openUploads) serveBegin(
	w http.ResponseWriter, r *http.Request, service *uploads.Service, key string,
) {
	answer := &answerCopy{ResponseWriter: w, maxBytes: maxAnswer}
	service.ServeHTTP(answer, r)
	if !answer.succeeded() {
		return
	}

	var created struct{ UploadID string }
	err := json.Unmarshal(answer.body.Bytes(), &created)
	if err != nil || created.UploadID == "" {
		return
	}
	o.record(openUpload{service: service, id: created.UploadID, key: key}, false)

	// An abort that fails is repeated when the next upload begins.
	_ = o.abort(r.Context(), o.now().Add(-maxIdle))
}

// record records the time of a request of an upload. If the upload has ended, record removes it from
// the list. A new upload is not recorded if there are too many.
func (o *openUploads) record(u openUpload, isEnded bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if isEnded {
		delete(o.uploads, u)
		return
	}
	_, isKnown := o.uploads[u]
	if !isKnown && len(o.uploads) >= maxStates {
		return
	}
	if o.uploads == nil {
		o.uploads = map[openUpload]time.Time{}
	}
	o.uploads[u] = o.now()
}

// abort aborts the uploads whose last request was before start. It returns the errors of all aborts
// that failed.
func (o *openUploads) abort(ctx context.Context, start time.Time) error {
	var errs []error
	for _, u := range o.idleSince(start) {
		errs = append(errs, o.abortOne(ctx, u))
	}
	return errors.Join(errs...)
}

// idleSince returns the uploads whose last request was before start.
func (o *openUploads) idleSince(start time.Time) []openUpload {
	o.mu.Lock()
	defer o.mu.Unlock()

	var idle []openUpload
	for u, lastRequest := range o.uploads {
		if lastRequest.Before(start) {
			idle = append(idle, u)
		}
	}
	return idle
}

// abortOne aborts an upload with the DELETE request that a client would send to the upload's service.
func (o *openUploads) abortOne(ctx context.Context, u openUpload) error {
	ctx = context.WithValue(ctx, uploadKey{}, u.key)
	address := "/s3/multipart/" + url.PathEscape(u.id)
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, address, http.NoBody)
	if err != nil {
		return err
	}

	answer := &answerCopy{ResponseWriter: discardWriter{}, maxBytes: maxAnswer}
	u.service.ServeHTTP(answer, req)
	if answer.status >= http.StatusInternalServerError {
		return errors.New("console: an upload could not be aborted: " + answer.body.String())
	}
	o.record(u, true)
	return nil
}

// An answerCopy passes on a response. It keeps the status and the beginning of the body.
type answerCopy struct {
	http.ResponseWriter
	maxBytes int // maximum number of bytes that are kept from the body
	status   int
	body     bytes.Buffer
}

// Unwrap returns the underlying writer, so that the service can set deadlines.
func (a *answerCopy) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// succeeded reports whether the status is not that of an error.
func (a *answerCopy) succeeded() bool { return a.status < http.StatusBadRequest }

func (a *answerCopy) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Write passes p on, and keeps the first maxBytes of the response in a.
func (a *answerCopy) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body.Write(p[:min(len(p), a.maxBytes-a.body.Len())])
	return a.ResponseWriter.Write(p)
}

// discardWriter is a ResponseWriter that drops the response.
type discardWriter struct{}

func (discardWriter) Header() http.Header         { return http.Header{} }
func (discardWriter) WriteHeader(int)             {}
func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }
