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

	"github.com/omnibucket/storage/internal/buffer"
)

// An OpenOption fits every function that opens a bucket or account: those below, [WithVersioning],
// [WithPublicAccess], [WithObjectLock], [WithSoftDelete], driver.WithLayer. If one is invalid, every call fails.
type OpenOption interface{ ApplyOpen(*OpenOptions) }

// OpenOptions are the options with which a bucket or account is opened. A zero field has its
// default.
type OpenOptions struct {
	PublicBaseURL  string // ends in "/"
	Public         bool
	SigningBaseURL string // ends in "/"
	Versions       bool
	ObjectLock     bool
	SoftDelete     time.Duration
	Buffers        *buffer.Limit // that of [WithBufferLimit]
	PartSize       int64         // bytes
	Retry          RetryPolicy
	HedgedReads    bool
	Tracer         trace.TracerProvider
	Meter          metric.MeterProvider
	Hooks          []Hook
	Layers         []any // each is a driver.Layer; the last is outermost
	AttemptSpans   bool

	err error // the first bad option
}

// Apply reads options. It returns the error that the first bad option gave to Fail.
func (o *OpenOptions) Apply(opts ...OpenOption) error {
	for _, opt := range opts {
		if opt == nil {
			o.Fail(invalid("option", "must not be nil"))
			continue
		}
		failed := o.err
		opt.ApplyOpen(o)
		o.err = cmp.Or(failed, o.err) // also if the option has replaced all of them
	}
	o.check()
	if o.Buffers == nil {
		o.Buffers = defaultBufferLimit.bounded()
	}
	return o.err
}

// check refuses what an option of another package may have set.
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
	if slices.ContainsFunc(o.Hooks, func(h Hook) bool { return h == nil }) {
		o.Fail(invalid("Hooks", "must not have nil"))
	}
}

// Fail makes every call fail with err, unless an earlier option is bad.
func (o *OpenOptions) Fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

type openOption func(*OpenOptions)

func (o openOption) ApplyOpen(to *OpenOptions) { o(to) }

// baseURL returns base as the value of an option.
func baseURL(o *OpenOptions, option, base string) string {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		o.Fail(invalid(option, "must be an http or https address without user, query or fragment"))
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/"
}

// WithPublicBaseURL opens the bucket as public, and sets the http or https address of the
// CDN or custom domain that serves its objects.
func WithPublicBaseURL(base string) OpenOption {
	return openOption(func(o *OpenOptions) {
		o.PublicBaseURL = baseURL(o, "WithPublicBaseURL", base)
		o.Public = true
	})
}

// WithSigningBaseURL signs for the host that outside clients reach. A local or memory
// bucket needs it: package serve has the handler to mount at base.
func WithSigningBaseURL(base string) OpenOption {
	return openOption(func(o *OpenOptions) { o.SigningBaseURL = baseURL(o, "WithSigningBaseURL", base) })
}

// WithBufferLimit bounds the transfer buffers of all buckets that are opened with m
// together. By default all buckets of the process share 128 MiB.
func WithBufferLimit(m *BufferLimit) OpenOption {
	return openOption(func(o *OpenOptions) { o.Buffers = m.bounded() })
}

// WithDefaultPartSize is [WithPartSize] for every upload without it. An upload of at most this
// size is one request, which matters on S3: it bills requests. A body of unknown size is read
// into memory up to this size. Parts are larger if the store's number of parts needs it. A
// store that takes any body at once makes no parts.
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
	return openOption(func(o *OpenOptions) { o.Retry = p })
}

// WithTelemetry reports spans to t and metrics to m; nil means the global provider.
func WithTelemetry(t trace.TracerProvider, m metric.MeterProvider) OpenOption {
	return openOption(func(o *OpenOptions) { o.Tracer, o.Meter = t, m })
}

// WithHook runs h around every operation; several run in the order given.
func WithHook(h Hook) OpenOption {
	return openOption(func(o *OpenOptions) {
		if h == nil {
			o.Fail(invalid("WithHook", "must not be nil"))
			return
		}
		o.Hooks = append(o.Hooks, h)
	})
}

// A BufferLimit bounds the transfer buffers of all buckets that share it, and the blocks of
// a [ReaderAt], which give way to transfers. If only a caller could free a buffer, 64 KiB
// more are granted: no transfer waits for ever. Do not copy it.
type BufferLimit struct {
	Max int64 // bytes; below 1 MiB it is 1 MiB. A change after the first use has no effect

	limit buffer.Limit
	used  sync.Once
}

func (m *BufferLimit) bounded() *buffer.Limit {
	m.used.Do(func() { m.limit.Max = max(m.Max, 1<<20) })
	return &m.limit
}

var defaultBufferLimit = BufferLimit{Max: 128 << 20}

// WithAttemptSpans adds a span for each call of the driver.Driver, below that of the
// operation. The span of a Get ends when the body begins.
func WithAttemptSpans() OpenOption {
	return openOption(func(o *OpenOptions) { o.AttemptSpans = true })
}

// WithHedgedReads makes a second request if a read waits longer for its first response than
// 95 percent of the recent ones did. It shortens the rare long waits of Download, Attrs and
// Exists, at the cost of at most 5 percent more reads. The first 20 are only measured. No
// read is hedged while the store throttles the bucket, or on this machine.
func WithHedgedReads() OpenOption {
	return openOption(func(o *OpenOptions) { o.HedgedReads = true })
}

// A RetryPolicy sets how often and for how long each request is retried if it fails for a
// reason that passes. A field that is 0 has its default.
type RetryPolicy struct {
	// Attempts bounds how often one request is made: by default 5, and 12 if it is [RateLimited]. 1
	// turns retries off; then throttling does not slow the bucket, either.
	Attempts int
	// MaxDelay is the longest wait between two attempts, by default 20 s, whatever Retry-After
	// says. The first is up to 50 ms, or three up to 1 s after [RateLimited]; later ones double.
	MaxDelay time.Duration
	// MaxWait bounds the sum of these waits for one request, by default one minute. Attempts do not
	// count, nor does the time for which a throttled bucket holds it back: only ctx bounds that.
	MaxWait time.Duration
	// Stall is how long a connection may move no byte before it counts as dropped, by default 30 s.
	// It is four times as long while a large body is sent, and twice after it. A copy on S3 may
	// take a minute and one second for each 6 MiB, at most 15 minutes.
	Stall time.Duration
}

// A Hook runs around every operation, to log, meter or deny it. done runs when it ends; for a
// download, at Close. If err is not nil, the operation fails with the Code of err, or with
// PermissionDenied if err has none. done and hookCtx may be nil.
type Hook func(ctx context.Context, op Operation) (hookCtx context.Context, done func(Outcome), err error)

// An Operation describes a call to a [Hook]. Batches of [RemoveAll] and sources of
// [Compose] pass the hooks too, and the source of [Copy] those of its bucket.
type Operation struct {
	Name, Provider, Bucket string
	Key                    string   // or the prefix of a listing
	Keys                   []string // a batch's keys, Compose's sources; else nil
}

// An Outcome tells how an operation ended.
type Outcome struct {
	Err   error
	Bytes int64
	// Requests counts HTTP requests, with retries and without those for credentials. It counts calls of the driver if
	// that cannot count requests, or if a GCS or Azure client is the caller's own.
	Requests int
}
