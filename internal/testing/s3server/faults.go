package s3server

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Rule makes the server misbehave. Of several that match a request the first
// that is not used up applies.
type Fault struct {
	Operation string // AWS's name: "PutObject", "CompleteMultipartUpload"; "": any
	Bucket    string // "": any
	Key       string // "": any
	Skip      int    // requests that match and pass unharmed first
	Times     int    // requests that are harmed; 0: one; negative: all
	// Rate is how many matching requests a second pass unharmed, a tenth of that at
	// once; those over it are harmed, of which Times counts. 0: none pass.
	Rate int

	// Error is S3's code of an answer that does nothing: "SlowDown",
	// "TooManyRequests", "ConditionalRequestConflict", "InternalError". A code
	// that this server does not know needs Status.
	Error      string
	Status     int           // 0: the code's own
	RetryAfter time.Duration // in whole seconds; 0: none
	// In200 has the error in the body of a 200, as CompleteMultipartUpload and
	// CopyObject answer when they fail late.
	In200 bool
	// Redirect answers 301 that the bucket is in this region, before the
	// signature is looked at.
	Redirect string

	DropConnection bool // cut the connection before anything is done
	DropResponse   bool // do it, and cut the connection instead of answering

	CutAfter  *int64        // bytes of the answer's body, then cut the connection
	HangAfter *int64        // bytes of the answer's body, then silence until the client goes
	FlipAt    *int64        // offset of a byte of the answer's body that is sent wrong
	Pause     time.Duration // before every 32 KiB of the answer's body

	// Ignore are request headers that a careless server does not look at:
	// If-Match, Range. The signature counts them. "ETag" is that of the keys in
	// DeleteObjects.
	Ignore []string
	Hide   []string // answer headers that are not sent
	// Deny has DeleteObjects refuse an object, AccessDenied, and name it as some
	// servers do: otherwise than it was asked for, or not at all. Nil: none.
	Deny func(key, version string) (namedKey, namedVersion string, denied bool)
	// Reverse lists the entries of each page backwards (ListObjectsV2).
	Reverse bool

	left float64 // of Rate
	last time.Time
}

// Bytes is a number for CutAfter, HangAfter and FlipAt.
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
	gone <-chan struct{} // closed when the server ends; nil: never
}

// match is the rule for a request, counted; nil where there is none.
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

// passes takes one of the requests that Rate lets pass, if there is one left.
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

// denies is how DeleteObjects names an object that it refuses; nil: it does not.
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
