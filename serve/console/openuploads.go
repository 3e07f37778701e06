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

// serve passes a request to a service. It records whether the request begins, continues or ends an
// upload.
func (o *openUploads) serve(w http.ResponseWriter, r *http.Request, service *uploads.Service) {
	key, _ := r.Context().Value(uploadKey{}).(string)
	rest, inUpload := strings.CutPrefix(r.URL.Path, "/s3/multipart/")
	id, action, _ := strings.Cut(rest, "/")
	isBegin := r.Method == http.MethodPost && r.URL.Path == "/s3/multipart"
	answer := &answerCopy{ResponseWriter: w}
	if isBegin {
		answer.maxBytes = maxAnswer
	}
	service.ServeHTTP(answer, r)
	isFinal := action == "complete" || action == "" && r.Method == http.MethodDelete
	succeeded := answer.status < http.StatusBadRequest
	if isBegin && succeeded {
		var created struct{ UploadID string }
		if json.Unmarshal(answer.body.Bytes(), &created) == nil && created.UploadID != "" {
			o.note(openUpload{service, created.UploadID, key}, false)
			// Failed aborts are repeated at the next upload.
			_ = o.abort(
				r.Context(),
				o.now().Add(-maxIdle),
			)
		}
	} else if inUpload && id != "" {
		o.note(openUpload{service, id, key}, isFinal && succeeded)
	}
}

// note records the time of a request of an upload. If the upload has ended, note removes it from
// the list.
func (o *openUploads) note(u openUpload, isEnded bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.uploads[u]
	if isEnded {
		delete(o.uploads, u)
	} else if ok || len(o.uploads) < maxStates {
		if o.uploads == nil {
			o.uploads = map[openUpload]time.Time{}
		}
		o.uploads[u] = o.now()
	}
}

// abort aborts the uploads without a request since the given time.
func (o *openUploads) abort(ctx context.Context, start time.Time) error {
	o.mu.Lock()
	var idle []openUpload
	for u, last := range o.uploads {
		if last.Before(start) {
			idle = append(idle, u)
		}
	}
	o.mu.Unlock()
	var failures []error
	for _, u := range idle {
		failures = append(failures, o.abortOne(ctx, u))
	}
	return errors.Join(failures...)
}

// abortOne aborts an upload. It calls the upload's service with the DELETE request that a client
// would send.
func (o *openUploads) abortOne(ctx context.Context, u openUpload) error {
	r, err := http.NewRequestWithContext(
		context.WithValue(
			ctx,
			uploadKey{},
			u.key,
		),
		http.MethodDelete,
		"/s3/multipart/"+url.PathEscape(u.id),
		http.NoBody,
	)
	if err != nil {
		return err
	}
	answer := &answerCopy{ResponseWriter: discardWriter{}, maxBytes: maxAnswer}
	u.service.ServeHTTP(answer, r)
	if answer.status >= http.StatusInternalServerError {
		return errors.New("console: an upload could not be aborted: " + answer.body.String())
	}
	o.note(u, true)
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

func (a *answerCopy) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

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
