package storage

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/omnibucket/storage/internal/core/buffer"
)

// An OpenOption fits functions that open a bucket or an account: a [SettingOption],
// driver.WithLayer or the result of a function that returns an OpenOption, such as [WithRetry]. If
// an option is invalid, every call on the bucket or account fails.
type OpenOption interface{ ApplyOpen(*OpenOptions) }

// OpenOptions are the options with which a bucket or account is opened. Zero means the default.
type OpenOptions struct {
	PublicBaseURL  string // ends in "/"
	Public         bool
	SigningBaseURL string // ends in "/"
	Versions       bool
	ObjectLock     bool
	SoftDelete     time.Duration
	Buffers        *BufferLimit
	PartSize       int64 // bytes
	Retry          RetryPolicy
	HedgedReads    bool
	Tracer         trace.TracerProvider
	Meter          metric.MeterProvider
	Hooks          []Hook
	Layers         []any // each is a driver.Layer; the last is outermost
	AttemptSpans   bool

	err error // error of the first bad option
}

// Apply sets o from opts, and returns the error of the first invalid one.
func (o *OpenOptions) Apply(opts ...OpenOption) error {
	for _, opt := range opts {
		if opt == nil {
			o.Fail(invalid("option", "must not be nil"))
			continue
		}

		// ApplyOpen may replace all of *o, and with it the error of an earlier option. Keep that error.
		firstErr := o.err
		opt.ApplyOpen(o)
		o.err = cmp.Or(firstErr, o.err)
	}

	o.check()
	if o.Buffers == nil {
		o.Buffers = &defaultBufferLimit
	}
	return o.err
}

// check records an error for each invalid field. The options of this package check their values, but
// an OpenOption of another package can set a field directly.
func (o *OpenOptions) check() {
	if o.PublicBaseURL != "" {
		o.PublicBaseURL = baseURL(o, "PublicBaseURL", o.PublicBaseURL)
	}
	if o.SigningBaseURL != "" {
		o.SigningBaseURL = baseURL(o, "SigningBaseURL", o.SigningBaseURL)
	}
	if o.SoftDelete < 0 {
		o.Fail(invalid("SoftDelete", "must not be negative"))
	}
	isNil := func(h Hook) bool { return h == nil }
	if slices.ContainsFunc(o.Hooks, isNil) {
		o.Fail(invalid("Hooks", "must not have nil"))
		o.Hooks = slices.DeleteFunc(slices.Clone(o.Hooks), isNil)
	}
}

// Fail makes every call on the bucket fail with err, unless an earlier option was bad.
func (o *OpenOptions) Fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

type openOption func(*OpenOptions)

func (o openOption) ApplyOpen(opts *OpenOptions) { o(opts) }

// baseURL returns base with exactly one slash at its end. If base is invalid, every call on the
// bucket fails with an error that names the option.
func baseURL(o *OpenOptions, option, base string) string {
	if !isBaseURL(base) {
		o.Fail(invalid(option, "must be an http or https address without user, query or fragment"))
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/"
}

// isBaseURL reports whether base is an http or https address to which a path can be appended.
func isBaseURL(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return false
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// WithPublicBaseURL opens the bucket as public, and sets the http or https address of the
// CDN or custom domain that serves its objects.
func WithPublicBaseURL(base string) OpenOption {
	return openOption(func(o *OpenOptions) {
		o.PublicBaseURL = baseURL(o, "WithPublicBaseURL", base)
		o.Public = true
	})
}

// WithSigningBaseURL sets the address with which signed URLs begin. It is for clients that reach
// the store by another address than this program. A local or memory bucket needs this option to
// sign: mount the handler of package serve at base.
func WithSigningBaseURL(base string) OpenOption {
	return openOption(func(o *OpenOptions) {
		o.SigningBaseURL = baseURL(o, "WithSigningBaseURL", base)
	})
}

// WithBufferLimit bounds the transfer buffers of all buckets that are opened with the same m. The
// default is 128 MiB for all buckets of the process.
func WithBufferLimit(m *BufferLimit) OpenOption {
	return openOption(func(o *OpenOptions) {
		o.Buffers = m
	})
}

// WithDefaultPartSize sets the part size of every upload without [WithPartSize]. An upload of at
// most this size is one request, which saves money on S3. A body of unknown size is read into
// memory up to this size. Parts are larger if the store would otherwise need too many of them. The
// option has no effect on a store that accepts bodies of any size in one request.
func WithDefaultPartSize(bytes int64) OpenOption {
	return openOption(func(o *OpenOptions) {
		if bytes < 1 {
			o.Fail(invalid("WithDefaultPartSize", "must be at least 1"))
		}
		o.PartSize = bytes
	})
}

// WithRetry sets how failed requests are retried. A retry without a condition may overwrite
// a later write by another client: use [IfRevision].
func WithRetry(p RetryPolicy) OpenOption {
	return openOption(func(o *OpenOptions) {
		o.Retry = p
	})
}

// WithTelemetry reports spans to t and metrics to m. Nil means the global provider of
// OpenTelemetry.
func WithTelemetry(t trace.TracerProvider, m metric.MeterProvider) OpenOption {
	return openOption(func(o *OpenOptions) {
		o.Tracer = t
		o.Meter = m
	})
}

// WithHook calls h for every operation. Several hooks are called in the order given. A bucket that
// [Wrap] returns has the hooks of the bucket it is given.
func WithHook(h Hook) OpenOption {
	return openOption(func(o *OpenOptions) {
		if h == nil {
			o.Fail(invalid("WithHook", "must not be nil"))
			return
		}
		o.Hooks = append(o.Hooks, h)
	})
}

// A BufferLimit bounds the memory of all buckets that share it: transfer buffers, and the blocks
// that a [ReaderAt] caches, which are dropped first. No transfer waits for memory forever. If
// others hold all memory but send and receive nothing, a waiting transfer gets 64 KiB above the
// limit. Do not copy a BufferLimit after its first use.
type BufferLimit struct {
	Max int64 // bytes, at least 1 MiB; a change after the first use has no effect

	limit buffer.Limit
	used  sync.Once
}

// bounded returns the limit. The first call fixes its maximum, which is at least 1 MiB.
func (m *BufferLimit) bounded() *buffer.Limit {
	m.used.Do(func() {
		m.limit.Max = max(m.Max, 1<<20)
	})
	return &m.limit
}

var defaultBufferLimit = BufferLimit{Max: 128 << 20}

// WithAttemptSpans adds a span for each call of the driver.Driver, below the span of the operation.
// The span of a Get ends when the body begins.
func WithAttemptSpans() OpenOption {
	return openOption(func(o *OpenOptions) {
		o.AttemptSpans = true
	})
}

// WithHedgedReads makes a second, equal request if the first response to a read takes longer than
// 95 percent of the recent ones did. That shortens the rare long waits of Download, Attrs and
// Exists, and costs at most 5 percent more reads. The first 20 reads are only measured. No second
// request is made while the store throttles the bucket, or if the store is on this machine.
func WithHedgedReads() OpenOption {
	return openOption(func(o *OpenOptions) {
		o.HedgedReads = true
	})
}

// A RetryPolicy sets how often and for how long each request is retried if it fails for a temporary reason. A field
// that is 0 has its default.
type RetryPolicy struct {
	// Attempts is the largest number of times that one request is made. The default is 5, or 12 if
	// the errors are [RateLimited]. If Attempts is 1, requests are not retried, and the bucket does
	// not slow down when the store throttles it.
	Attempts int
	// MaxDelay is the longest wait between two attempts, by default 20 s. A Retry-After of the
	// store does not extend it. The first wait is at most 50 ms. After [RateLimited], the first
	// three waits are at most 1 s each. For each later wait, this limit doubles.
	MaxDelay time.Duration
	// MaxWait bounds the sum of the waits between the attempts of one request, by default one minute. The attempts
	// themselves do not count. Nor does the time for which a throttled bucket delays the request; only ctx limits that.
	MaxWait time.Duration
	// Stall is the time without a byte after which a connection counts as dropped, by default 30 s. While a large body
	// is sent, the time is four times Stall. While the response to a large body is awaited, the time is twice Stall. A
	// copy on S3 may take one minute plus one second for each 6 MiB, but at most 15 minutes.
	Stall time.Duration
}

// A Hook is called before every operation of a bucket or account, to see or deny it. It is also
// called for operations that are refused without a request, such as one that [Ref] forbids or that
// the store does not support. A listing begins each time that it is ranged over. Names, effects and keys are
// the same for every store. The operation runs with hookCtx. When it has ended, done is called; for
// a download, that is at Close. hookCtx and done may be nil.
//
// If err is not nil, nothing is requested, and the operation fails with the Code of err, or with
// PermissionDenied if err has no Code. An operation that the library refuses anyway keeps its own
// error. To deny all removals, return an error if op.Effects&EffectRemove is not 0. Other effects
// are denied in the same way.
type Hook func(ctx context.Context, op Operation) (hookCtx context.Context, done func(Outcome), err error)

// An Operation describes a call to a [Hook]. Functions such as [Update] and [ReadAll] consist of
// several operations, and [RemoveAll] of one for each batch. A [Copy] is an operation Copy of the
// destination's bucket, and an operation Download of the source's bucket.
type Operation struct {
	// Name is the name of the method or function. The names of the methods of [MultipartUpload] are
	// PutPart, SignPart, Parts, CompleteUpload and AbortUpload. The name of the function
	// PutSignedPart is PutPart, too.
	Name             string
	Provider, Bucket string
	Effects          Effects
	Key              string // whole key that is read, written or removed, or prefix of a listing or of Vend
	// Keys has the keys that Compose and Copy read, the key that Move removes, or the keys that
	// RemoveAll and RemoveVersions remove. For all other operations, it is nil.
	Keys []string
}

// An Outcome describes how an operation ended.
type Outcome struct {
	Err   error
	Bytes int64
	// Requests is the number of HTTP requests, including retries but not requests for credentials. If the driver cannot
	// count requests, or the client of GCS or Azure is the caller's own, Requests is the number of calls of the driver.
	Requests int
}
