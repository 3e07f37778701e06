package s3server

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault makes the server fail requests on purpose. If several match a request, the
// first that is not used up applies.
type Fault struct {
	Operation string // AWS's name, as "PutObject"; "" means any
	Bucket    string // "" means any
	Key       string // "" means any
	Skip      int    // matching requests that pass first
	Times     int    // requests that fail; 0 means one, and a negative number all
	// Rate is the number of matching requests a second that pass, a tenth of them at once.
	// Times counts only the requests above the rate. With 0, none pass.
	Rate int

	// Error is the S3 code of a response to a request that had no effect: "SlowDown",
	// "TooManyRequests", "ConditionalRequestConflict", "InternalError". A code that this
	// server does not know needs Status.
	Error      string
	Status     int           // 0 means that of the code
	RetryAfter time.Duration // in whole seconds; 0 means none
	// In200 returns the error in the body of a 200, as a late failure of
	// CompleteMultipartUpload and CopyObject.
	In200 bool
	// Redirect returns a 301 to this region, before the signature is checked.
	Redirect string

	DropConnection bool // close the connection before the request has an effect
	DropResponse   bool // let the request take effect, then close the connection without a response

	CutAfter  *int64        // bytes of the response body, after which the connection is closed
	HangAfter *int64        // bytes of the response body, after which nothing is sent until the client disconnects
	FlipAt    *int64        // offset of a byte in the response body that is changed
	Pause     time.Duration // before every 32 KiB of the response body

	// Ignore lists request headers that the server ignores, such as If-Match or Range. The
	// signature includes them. "ETag" stands for the entity tags of keys in DeleteObjects.
	Ignore []string
	Hide   []string // response headers that are not sent
	// Deny makes DeleteObjects refuse an object with AccessDenied. Like some servers, it
	// may name the object differently or not at all. Nil refuses none.
	Deny func(key, version string) (namedKey, namedVersion string, denied bool)
	// Reverse reverses the entries of each page (ListObjectsV2).
	Reverse bool

	left float64 // requests that Rate lets pass
	last time.Time
}

// Bytes returns a value for CutAfter, HangAfter and FlipAt.
func Bytes(n int64) *int64 { return &n }

// Inject adds a fault.
func (h *Handler) Inject(f Fault) {
	h.faults.mu.Lock()
	defer h.faults.mu.Unlock()
	h.faults.all = append(h.faults.all, &f)
}

// ClearFaults removes all faults.
func (h *Handler) ClearFaults() {
	h.faults.mu.Lock()
	defer h.faults.mu.Unlock()
	h.faults.all = nil
}

type faults struct {
	mu   sync.Mutex
	all  []*Fault
	now  func() time.Time
	gone <-chan struct{} // closed when the server ends; may be nil
}

// match counts a request and returns its fault, or nil.
func (s *faults) match(operation, bucket, key string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.all {
		if f.Operation != "" && f.Operation != operation || f.Bucket != "" && f.Bucket != bucket || f.Key != "" && f.Key != key {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Rate > 0 && f.passes(s.now()) {
			continue
		}
		applied := *f
		switch {
		case f.Times < 0:
		case f.Times <= 1:
			s.all = slices.Delete(s.all, i, i+1)
		default:
			f.Times--
		}
		return &applied
	}
	return nil
}

// passes reports whether Rate lets one more request pass.
func (f *Fault) passes(now time.Time) bool {
	rate := float64(f.Rate)
	atOnce := max(1, rate/10)
	if f.last.IsZero() {
		f.left = atOnce
	} else {
		f.left = min(atOnce, f.left+now.Sub(f.last).Seconds()*rate)
	}
	f.last = now
	if f.left < 1 {
		return false
	}
	f.left--
	return true
}

// beforeAuth applies the faults that come before the signature is checked.
func (f *Fault) beforeAuth(r *request) error {
	if f == nil {
		return nil
	}
	if f.DropConnection {
		cutConnection()
	}
	if f.Redirect != "" {
		return newError("PermanentRedirect", "Endpoint", r.bucket+".s3."+f.Redirect+".amazonaws.com", "Bucket", r.bucket).
			withHeader("X-Amz-Bucket-Region", f.Redirect)
	}
	return nil
}

// afterAuth applies the faults to a request whose signature is valid.
func (f *Fault) afterAuth(r *request) error {
	if f == nil {
		return nil
	}
	for _, name := range f.Ignore {
		r.Header.Del(name)
	}
	if f.Error == "" && f.Status == 0 {
		return nil
	}
	code := f.Error
	setDefault(&code, "InternalError")
	e := newError(code)
	if f.Status != 0 {
		e.status = f.Status
	}
	if f.RetryAfter > 0 {
		e.withHeader("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	if f.In200 {
		e.status = 200
	}
	return e
}

func (f *Fault) ignores(name string) bool {
	return f != nil && slices.ContainsFunc(f.Ignore, func(n string) bool { return strings.EqualFold(n, name) })
}

func (f *Fault) reverses() bool { return f != nil && f.Reverse }

// denies returns the error for an object that DeleteObjects refuses, or nil.
func (f *Fault) denies(key, version string) *deleteError {
	if f == nil || f.Deny == nil {
		return nil
	}
	key, version, denied := f.Deny(key, version)
	if !denied {
		return nil
	}
	e := newError("AccessDenied")
	return &deleteError{text(key), version, e.code, text(e.message)}
}
