package s3server

import (
	"time"

	"github.com/omnibucket/storage/s3server/internal/faults"
)

// A Fault makes the server misbehave on purpose. The first fields, from Operation up to Rate,
// select requests. The other fields describe the effect on those requests. If several faults select
// a request, only the first applies.
//
// The functions [Fail], [Throttle], [Lose], [Drop], [CutAfter], [StallAfter], [FlipAt] and [Delay]
// return common faults. [Server.Inject] and [Handler.Inject] add them to a server.
//
// In JSON, the names of the fields begin with a small letter, such as
// {"operation":"PutObject","key":"tmp/*","error":"SlowDown","times":2}. Durations are strings such
// as "250ms" or "1m". Unknown fields are an error, and Deny has no JSON.
type Fault struct {
	// In Operation, Bucket and Key, "*" matches any characters including slashes, and "?" matches
	// one character.
	Operation string `json:"operation,omitempty"` // AWS's name, such as "PutObject" or "List*"; "" means any
	Bucket    string `json:"bucket,omitempty"`    // "" means any
	Key       string `json:"key,omitempty"`       // "" means any
	Skip      int    `json:"skip,omitempty"`      // matching requests before the first one to which the fault applies
	Times     int    `json:"times,omitempty"`     // requests to which the fault applies; 0 means no limit
	// Rate is a number of requests per second. The fault applies only to matching requests beyond
	// this rate. In a burst, Rate/10 requests, but at least one, are within the rate. Skip and
	// Times count only requests beyond the rate. If Rate is 0, all matching requests are beyond the
	// rate.
	Rate int `json:"rate,omitempty"`

	// Error is the S3 code of the error response, such as "SlowDown" or "InternalError". The
	// request has no effect. A code that this server does not know needs Status.
	Error      string        `json:"error,omitempty"`
	Status     int           `json:"status,omitempty"`    // HTTP status; 0 means the usual status of Error
	RetryAfter time.Duration `json:"retryAfter,omitzero"` // Retry-After header, in whole seconds; 0 means none
	// In200 sends the error in the body of a response with status 200, as S3 does when
	// CompleteMultipartUpload or CopyObject fails late.
	In200 bool `json:"in200,omitempty"`
	// Redirect is a region. The response is a 301 that redirects the client to this region. The
	// server sends it before it checks the signature.
	Redirect string `json:"redirect,omitempty"`

	DropConnection bool `json:"dropConnection,omitempty"` // close the connection before the request has an effect
	// DropResponse lets the request take effect, and then closes the connection without a response.
	DropResponse bool `json:"dropResponse,omitempty"`

	// CutAfter is the number of bytes of the response body after which the connection is closed.
	CutAfter *int64 `json:"cutAfter,omitempty"`
	// StallAfter is the number of bytes of the response body after which nothing more is sent. The
	// connection stays open until the client closes it.
	StallAfter *int64 `json:"stallAfter,omitempty"`
	FlipAt     *int64 `json:"flipAt,omitempty"` // offset of a byte in the response body whose value is changed

	Latency   time.Duration `json:"latency,omitzero"`    // time before the request is handled
	Bandwidth int64         `json:"bandwidth,omitempty"` // bytes per second of each body; 0 means no limit

	// ETag replaces every entity tag in the headers and in the XML of responses.
	ETag string `json:"etag,omitempty"`
	// ClockSkew is added to the server's clock. It changes the Date header, and the time with which
	// signatures are compared.
	ClockSkew time.Duration `json:"clockSkew,omitzero"`
	// Stale makes listings look eventually consistent. ListObjects and ListObjectsV2 omit an object
	// if it was written less than this time ago. They never omit a common prefix.
	Stale time.Duration `json:"stale,omitzero"`

	// Ignore lists request headers that the server ignores, such as If-Match or Range. The
	// signature is still checked with these headers. The name "ETag" makes DeleteObjects ignore the
	// entity tags in its document.
	Ignore []string `json:"ignore,omitempty"`
	Hide   []string `json:"hide,omitempty"` // response headers that the server omits
	// Deny makes DeleteObjects refuse an object with AccessDenied, if denied is true. The error
	// then names the object by namedKey and namedVersion, because some servers name the object
	// differently or not at all. If Deny is nil, no object is refused.
	Deny func(key, version string) (namedKey, namedVersion string, denied bool) `json:"-"`
	// Reverse reverses the order of the entries in each page of a listing of objects.
	Reverse bool `json:"reverse,omitempty"`
}

// Fail returns a fault that makes an operation fail with an S3 code, such as "SlowDown". The
// request has no effect. If the server does not know the code, set the field Status, too.
func Fail(operation, code string) Fault { return Fault{Operation: operation, Error: code} }

// Throttle returns a fault that makes requests above a rate fail with SlowDown. rate is a number of
// requests per second.
func Throttle(operation string, rate int) Fault {
	return Fault{Operation: operation, Error: "SlowDown", Rate: rate}
}

// Lose returns a fault that lets a request take effect, and then closes the connection without a
// response.
func Lose(operation string) Fault { return Fault{Operation: operation, DropResponse: true} }

// Drop returns a fault that closes the connection without a response. The request has no effect.
func Drop(operation string) Fault { return Fault{Operation: operation, DropConnection: true} }

// CutAfter returns a fault that closes the connection after n bytes of the response body.
func CutAfter(operation string, n int64) Fault { return Fault{Operation: operation, CutAfter: &n} }

// StallAfter returns a fault that sends n bytes of the response body, and then nothing until the
// client disconnects.
func StallAfter(operation string, n int64) Fault {
	return Fault{Operation: operation, StallAfter: &n}
}

// FlipAt returns a fault that changes the byte at this offset in the response body.
func FlipAt(operation string, offset int64) Fault {
	return Fault{Operation: operation, FlipAt: &offset}
}

// Delay returns a fault that delays each request by d before the server handles it.
func Delay(operation string, d time.Duration) Fault { return Fault{Operation: operation, Latency: d} }

// Once returns a copy of the fault that applies to only one request.
func (f Fault) Once() Fault {
	f.Times = 1
	return f
}

// On returns a copy of the fault that applies only to a bucket and a key. Both may be patterns with
// "*" and "?".
func (f Fault) On(bucket, key string) Fault {
	f.Bucket = bucket
	f.Key = key
	return f
}

// trigger returns the part of the fault that selects requests.
func (f *Fault) trigger() faults.Trigger {
	return faults.Trigger{
		Operation: f.Operation,
		Bucket:    f.Bucket,
		Key:       f.Key,
		Skip:      f.Skip,
		Times:     f.Times,
		Rate:      f.Rate,
	}
}

// Inject adds a fault to the server, which undo removes again.
func (h *Handler) Inject(f Fault) (undo func()) {
	id := h.faults.Add(f.trigger(), f)
	return func() {
		h.faults.Remove(id)
	}
}

// ClearFaults removes all faults.
func (h *Handler) ClearFaults() { h.faults.Clear() }

// effects returns the part of the fault that says what happens to the selected requests.
func (f *Fault) effects() faults.Effects {
	return faults.Effects{
		Error:          f.Error,
		Status:         f.Status,
		RetryAfter:     f.RetryAfter,
		In200:          f.In200,
		Redirect:       f.Redirect,
		DropConnection: f.DropConnection,
		DropResponse:   f.DropResponse,
		CutAfter:       f.CutAfter,
		StallAfter:     f.StallAfter,
		FlipAt:         f.FlipAt,
		Latency:        f.Latency,
		Bandwidth:      f.Bandwidth,
		ETag:           f.ETag,
		ClockSkew:      f.ClockSkew,
		Stale:          f.Stale,
		Ignore:         f.Ignore,
		Hide:           f.Hide,
		Deny:           f.Deny,
		Reverse:        f.Reverse,
	}
}
