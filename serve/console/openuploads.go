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

	recorder := &recordingWriter{ResponseWriter: w}
	service.ServeHTTP(recorder, r)

	// The path is /s3/multipart/<id> or /s3/multipart/<id>/<action>.
	rest, inUpload := strings.CutPrefix(r.URL.Path, "/s3/multipart/")
	id, action, _ := strings.Cut(rest, "/")
	if !inUpload || id == "" {
		// The request is about no upload.
		return
	}

	u := openUpload{service: service, id: id, key: key}
	isComplete := action == "complete"
	isAbort := action == "" && r.Method == http.MethodDelete
	hasEnded := (isComplete || isAbort) && recorder.succeeded()
	if hasEnded {
		o.remove(u)
		return
	}
	o.record(u)
}

// serveBegin passes a request that begins an upload to a service, records the upload, and aborts
// those that are idle.
func (o *openUploads) serveBegin(
	w http.ResponseWriter, r *http.Request, service *uploads.Service, key string,
) {
	recorder := &recordingWriter{ResponseWriter: w, maxBytes: maxAnswer}
	service.ServeHTTP(recorder, r)
	if !recorder.succeeded() {
		return
	}

	// The body of the response has the id of the upload.
	var created struct{ UploadID string }
	err := json.Unmarshal(recorder.body.Bytes(), &created)
	if err != nil || created.UploadID == "" {
		return
	}
	o.record(openUpload{service: service, id: created.UploadID, key: key})

	// An abort that fails is repeated when the next upload begins.
	_ = o.abort(r.Context(), o.now().Add(-maxIdle))
}

// record records the time of a request for an upload. It ignores a new upload if there are too many.
func (o *openUploads) record(u openUpload) {
	o.mu.Lock()
	defer o.mu.Unlock()

	_, isRecorded := o.uploads[u]
	if !isRecorded && len(o.uploads) >= maxStates {
		return
	}
	if o.uploads == nil {
		o.uploads = map[openUpload]time.Time{}
	}
	o.uploads[u] = o.now()
}

// remove removes an upload that has ended.
func (o *openUploads) remove(u openUpload) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.uploads, u)
}

// abort aborts the uploads whose last request was before start, and returns the errors of all aborts
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

	recorder := &recordingWriter{ResponseWriter: discardWriter{}, maxBytes: maxAnswer}
	u.service.ServeHTTP(recorder, req)
	if recorder.status >= http.StatusInternalServerError {
		return errors.New("console: an upload could not be aborted: " + recorder.body.String())
	}
	o.remove(u)
	return nil
}

// A recordingWriter passes on a response, and keeps its status and the beginning of its body.
type recordingWriter struct {
	http.ResponseWriter
	maxBytes int // maximum number of bytes that are kept from the body
	status   int
	body     bytes.Buffer
}

// Unwrap returns the underlying writer, so that the service can set deadlines.
func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// succeeded reports whether the status is not that of an error.
func (w *recordingWriter) succeeded() bool { return w.status < http.StatusBadRequest }

func (w *recordingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write passes p on, and keeps the first maxBytes of the body.
func (w *recordingWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.body.Write(p[:min(len(p), w.maxBytes-w.body.Len())])
	return w.ResponseWriter.Write(p)
}

// discardWriter is a ResponseWriter that drops the response.
type discardWriter struct{}

func (discardWriter) Header() http.Header         { return http.Header{} }
func (discardWriter) WriteHeader(int)             {}
func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }
