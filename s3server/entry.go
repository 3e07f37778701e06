package s3server

import (
	"io"
	"sync/atomic"
	"time"
)

// An Entry describes a request and its response, for logs and metrics. It has no secret:
// no signature, no header with a key, and no query.
type Entry struct {
	Time        time.Time // of the request
	Duration    time.Duration
	RequestID   string // x-amz-request-id
	RemoteAddr  string
	AccessKeyID string // of a valid signature
	Operation   string // AWS's name; "Unknown" if there is none
	Method      string
	Bucket, Key string
	Status      int    // 0: the connection was closed without a response
	Error       string // S3's code
	Received    int64  // bytes of the request's body
	Sent        int64  // bytes of the response's body
	UserAgent   string
}

// A loggedBody counts what is read of a request's body.
type loggedBody struct {
	io.ReadCloser
	n atomic.Int64
}

func (b *loggedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// logged prepares a request for [Config.Log], and returns what calls it at the end.
func (r *request) logged() (end func(*responseWriter)) {
	log := r.server.config.Log
	if log == nil {
		return func(*responseWriter) {}
	}
	began, at := time.Now(), r.server.now()
	received := &loggedBody{ReadCloser: r.Body}
	r.Request = r.WithContext(r.Context()) // a copy, because a handler must not change the original
	r.Body = received
	return func(w *responseWriter) {
		log(Entry{
			Time: at, Duration: time.Since(began), RequestID: r.id, RemoteAddr: r.RemoteAddr, AccessKeyID: r.caller.accessKey,
			Operation: r.operation, Method: r.Method, Bucket: r.target.bucket, Key: r.target.key,
			Status: w.status, Error: r.failure, Received: received.n.Load(), Sent: w.sent, UserAgent: r.UserAgent(),
		})
	}
}
