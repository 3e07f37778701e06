package s3server

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/faults"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A Fault makes the server misbehave on purpose. The first fields select requests; the other
// fields say what happens to those requests. Only the first fault that selects a request
// applies to it.
//
// [Fail], [Throttle], [Lose], [Drop], [CutAfter], [StallAfter], [FlipAt] and [Delay] make the
// common faults. [Server.Inject] and [Handler.Inject] add them.
//
// As JSON, a fault has the names of its fields with a small first letter, such as
// {"operation":"PutObject","key":"tmp/*","error":"SlowDown","times":2}. Durations are strings
// such as "250ms" or "1m". Unknown fields are an error, and Deny has no JSON.
type Fault struct {
	// In Operation, Bucket and Key, "*" stands for any characters, slashes too, and "?" for one.
	Operation string `json:"operation,omitempty"` // AWS's name, such as "PutObject" or "List*"; "" means any
	Bucket    string `json:"bucket,omitempty"`    // "" means any
	Key       string `json:"key,omitempty"`       // "" means any
	Skip      int    `json:"skip,omitempty"`      // matching requests that pass first
	Times     int    `json:"times,omitempty"`     // requests until the fault ends; 0 means all, until it is removed
	// Rate is the number of matching requests a second that pass, a tenth of them at once. Skip
	// and Times count only the requests above the rate. If Rate is 0, no request passes.
	Rate int `json:"rate,omitempty"`

	// Error is the S3 code of a response to a request that had no effect: "SlowDown",
	// "TooManyRequests", "ConditionalRequestConflict", "InternalError". A code that this
	// server does not know needs Status.
	Error      string        `json:"error,omitempty"`
	Status     int           `json:"status,omitempty"`    // 0 means the status of the code
	RetryAfter time.Duration `json:"retryAfter,omitzero"` // header of the response, in whole seconds; 0 means none
	// In200 returns the error in the body of a 200, as a late failure of
	// CompleteMultipartUpload and CopyObject.
	In200 bool `json:"in200,omitempty"`
	// Redirect returns a 301 to this region, before the signature is checked.
	Redirect string `json:"redirect,omitempty"`

	DropConnection bool `json:"dropConnection,omitempty"` // close the connection before the request has an effect
	DropResponse   bool `json:"dropResponse,omitempty"`   // let the request take effect, then close the connection without a response

	CutAfter   *int64 `json:"cutAfter,omitempty"`   // bytes of the response body, after which the connection is closed
	StallAfter *int64 `json:"stallAfter,omitempty"` // bytes of the response body, after which nothing is sent until the client disconnects
	FlipAt     *int64 `json:"flipAt,omitempty"`     // offset of a byte in the response body that is changed

	Latency   time.Duration `json:"latency,omitzero"`    // time before the request is handled
	Bandwidth int64         `json:"bandwidth,omitempty"` // bytes a second of each body; 0 means no limit

	// ETag is sent in place of every entity tag, in the header and in XML.
	ETag string `json:"etag,omitempty"`
	// ClockSkew moves the server's clock: its Date, and the time of its check of signatures.
	ClockSkew time.Duration `json:"clockSkew,omitzero"`
	// Stale leaves objects out of ListObjects and ListObjectsV2 that were written less than this
	// time ago, as if listings were eventually consistent. Common prefixes are always there.
	Stale time.Duration `json:"stale,omitzero"`

	// Ignore lists request headers that the server ignores, such as If-Match or Range. The
	// signature includes them. "ETag" stands for the entity tags of keys in DeleteObjects.
	Ignore []string `json:"ignore,omitempty"`
	Hide   []string `json:"hide,omitempty"` // response headers that are not sent
	// Deny makes DeleteObjects refuse an object with AccessDenied. Like some servers, it may
	// name the object differently or not at all. If Deny is nil, no object is refused.
	Deny func(key, version string) (namedKey, namedVersion string, denied bool) `json:"-"`
	// Reverse reverses the entries of each page of a listing of objects.
	Reverse bool `json:"reverse,omitempty"`
}

// Fail makes an operation fail with an S3 code, such as "SlowDown", without an effect. See
// Fault.Error.
func Fail(operation, code string) Fault { return Fault{Operation: operation, Error: code} }

// Throttle lets rate requests a second pass, and makes others fail with SlowDown.
func Throttle(operation string, rate int) Fault {
	return Fault{Operation: operation, Error: "SlowDown", Rate: rate}
}

// Lose lets requests take effect, and closes the connection without a response.
func Lose(operation string) Fault { return Fault{Operation: operation, DropResponse: true} }

// Drop makes the server close the connection in place of a response. The request has no effect.
func Drop(operation string) Fault { return Fault{Operation: operation, DropConnection: true} }

// CutAfter closes the connection after n bytes of the response's body.
func CutAfter(operation string, n int64) Fault { return Fault{Operation: operation, CutAfter: &n} }

// StallAfter sends n bytes of the response's body, and then nothing until the client disconnects.
func StallAfter(operation string, n int64) Fault {
	return Fault{Operation: operation, StallAfter: &n}
}

// FlipAt changes the byte at an offset of the response's body.
func FlipAt(operation string, offset int64) Fault {
	return Fault{Operation: operation, FlipAt: &offset}
}

// Delay makes requests wait before they are handled.
func Delay(operation string, d time.Duration) Fault { return Fault{Operation: operation, Latency: d} }

// Once returns the fault for one request only.
func (f Fault) Once() Fault {
	f.Times = 1
	return f
}

// On returns the fault for keys of one bucket, by patterns as in Fault.Key.
func (f Fault) On(bucket, key string) Fault {
	f.Bucket, f.Key = bucket, key
	return f
}

// trigger returns the trigger that selects the requests of the fault.
func (f *Fault) trigger() faults.Trigger {
	return faults.Trigger{
		Operation: f.Operation, Bucket: f.Bucket, Key: f.Key, Skip: f.Skip, Times: f.Times, Rate: f.Rate,
	}
}

// Inject adds a fault. undo removes it.
func (h *Handler) Inject(f Fault) (undo func()) {
	id := h.faults.Add(f.trigger(), f)
	return func() { h.faults.Remove(id) }
}

// ClearFaults removes all faults.
func (h *Handler) ClearFaults() { h.faults.Clear() }

// noFault is the fault of a request that no fault selects.
var noFault Fault

// beforeAuth applies the faults that come before the signature is checked.
func (f *Fault) beforeAuth(r *request) error {
	if f.Latency > 0 {
		r.wait(f.Latency)
	}
	if f.Bandwidth > 0 {
		r.in.Body = &slowBody{r.in.Body, r, f.Bandwidth}
	}
	if f.DropConnection {
		cutConnection()
	}
	if f.Redirect != "" {
		return s3error.New(
			"PermanentRedirect", "Endpoint", r.target.bucket+".s3."+f.Redirect+".amazonaws.com", "Bucket",
			r.target.bucket,
		).
			WithHeader(
				"X-Amz-Bucket-Region", f.Redirect,
			)
	}
	return nil
}

// afterAuth applies the faults to a request whose signature is valid.
func (f *Fault) afterAuth(r *request) error {
	for _, name := range f.Ignore {
		r.in.Header.Del(name)
	}
	if f.Error == "" && f.Status == 0 {
		return nil
	}
	code := f.Error
	setDefault(&code, "InternalError")
	e := s3error.New(code)
	if f.Status != 0 {
		e.Status = f.Status
	}
	if f.RetryAfter > 0 {
		e.WithHeader("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	if f.In200 {
		e.Status = 200
	}
	return e
}

func (f *Fault) ignores(name string) bool {
	return slices.ContainsFunc(f.Ignore, func(n string) bool { return strings.EqualFold(n, name) })
}

var tagElement = regexp.MustCompile(`<ETag>[^<]*</ETag>`)

// replaceTags replaces the entity tags in a response by Fault.ETag.
func (f *Fault) replaceTags(document []byte) []byte {
	if f.ETag == "" {
		return document
	}
	return tagElement.ReplaceAllLiteral(document, []byte("<ETag>"+xmldoc.Escape(f.ETag)+"</ETag>"))
}

// denies returns the error for an object that DeleteObjects refuses, or nil.
func (f *Fault) denies(key, version string) *deleteError {
	if f.Deny == nil {
		return nil
	}
	key, version, denied := f.Deny(key, version)
	if !denied {
		return nil
	}
	e := s3error.New("AccessDenied")
	return &deleteError{xmldoc.Text(key), version, e.Code, xmldoc.Text(e.Message)}
}
