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
type Rule struct {
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

	Refuse bool // cut the connection before anything is done
	Lose   bool // do it, and cut the connection instead of answering

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

// Misbehave adds a rule.
func (h *Handler) Misbehave(r Rule) {
	h.rules.mu.Lock()
	defer h.rules.mu.Unlock()
	h.rules.all = append(h.rules.all, &r)
}

// Behave takes all rules away.
func (h *Handler) Behave() {
	h.rules.mu.Lock()
	defer h.rules.mu.Unlock()
	h.rules.all = nil
}

type rules struct {
	mu   sync.Mutex
	all  []*Rule
	now  func() time.Time
	gone <-chan struct{} // closed when the server ends; nil: never
}

// match is the rule for a request, counted; nil where there is none.
func (s *rules) match(operation, bucket, key string) *Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range s.all {
		if r.Operation != "" && r.Operation != operation || r.Bucket != "" && r.Bucket != bucket || r.Key != "" && r.Key != key {
			continue
		}
		if r.Skip > 0 {
			r.Skip--
			continue
		}
		if r.Rate > 0 && r.passes(s.now()) {
			continue
		}
		applied := *r
		switch {
		case r.Times < 0:
		case r.Times <= 1:
			s.all = slices.Delete(s.all, i, i+1)
		default:
			r.Times--
		}
		return &applied
	}
	return nil
}

// passes takes one of the requests that Rate lets pass, if there is one left.
func (rule *Rule) passes(now time.Time) bool {
	rate := float64(rule.Rate)
	atOnce := max(1, rate/10)
	if rule.last.IsZero() {
		rule.left = atOnce
	} else {
		rule.left = min(atOnce, rule.left+now.Sub(rule.last).Seconds()*rate)
	}
	rule.last = now
	if rule.left < 1 {
		return false
	}
	rule.left--
	return true
}

// early is what happens before the signature is looked at.
func (rule *Rule) early(r *request) error {
	if rule == nil {
		return nil
	}
	if rule.Refuse {
		cutConnection()
	}
	if rule.Redirect != "" {
		return refuse("PermanentRedirect", "Endpoint", r.bucket+".s3."+rule.Redirect+".amazonaws.com", "Bucket", r.bucket).
			head("X-Amz-Bucket-Region", rule.Redirect)
	}
	return nil
}

// late is what happens to a request that is in order.
func (rule *Rule) late(r *request) error {
	if rule == nil {
		return nil
	}
	for _, name := range rule.Ignore {
		r.Header.Del(name)
	}
	if rule.Error == "" && rule.Status == 0 {
		return nil
	}
	code := rule.Error
	orElse(&code, "InternalError")
	e := refuse(code)
	if rule.Status != 0 {
		e.status = rule.Status
	}
	if rule.RetryAfter > 0 {
		e.head("Retry-After", strconv.Itoa(int(rule.RetryAfter.Seconds())))
	}
	if rule.In200 {
		e.status = 200
	}
	return e
}

func (rule *Rule) ignores(name string) bool {
	return rule != nil && slices.ContainsFunc(rule.Ignore, func(n string) bool { return strings.EqualFold(n, name) })
}

func (rule *Rule) reverses() bool { return rule != nil && rule.Reverse }

// denies is how DeleteObjects names an object that it refuses; nil: it does not.
func (rule *Rule) denies(key, version string) *deleteError {
	if rule == nil || rule.Deny == nil {
		return nil
	}
	key, version, denied := rule.Deny(key, version)
	if !denied {
		return nil
	}
	e := refuse("AccessDenied")
	return &deleteError{text(key), version, e.code, text(e.message)}
}
