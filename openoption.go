package storage

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/unexported"
)

// An OpenOption fits engine.New, [Open], engine.NewService, [OpenService] and a provider's
// constructor: [WithPublic], [WithPublicBaseURL], [WithSigningBaseURL], [WithVersions],
// [WithObjectLock], [WithBufferLimit], [WithDefaultPartSize], [WithRetry], [WithHedgedReads], [WithTelemetry], [WithAttemptSpans], [WithHook],
// driver.WithLayer.
// A provider's own settings are fields of its Config.
type OpenOption interface{ applyOpen(*unexported.OpenOptions) }

type openOption func(*unexported.OpenOptions)

func (o openOption) applyOpen(to *unexported.OpenOptions) { o(to) }

func readOpenOptions(opts []OpenOption) *unexported.OpenOptions {
	o := &unexported.OpenOptions{BufferLimit: &defaultBufferLimit().limit}
	for _, opt := range opts {
		if opt == nil {
			o.Fail(invalid("option", "must not be nil"))
			continue
		}
		opt.applyOpen(o)
	}
	return o
}

// baseURL returns base as the value of an option.
func baseURL(o *unexported.OpenOptions, option, base string) string {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		o.Fail(invalid(option, "must be an http or https address without user, query or fragment"))
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/"
}

// WithPublicBaseURL opens the bucket as public, and sets the address of the CDN or custom
// domain that serves its objects. If base is not an http or https URL, every operation on
// the bucket fails with InvalidArgument, as for any invalid OpenOption.
func WithPublicBaseURL(base string) OpenOption {
	return openOption(func(o *unexported.OpenOptions) {
		o.PublicBaseURL = baseURL(o, "WithPublicBaseURL", base)
		o.Public = true
	})
}

// WithPublic opens the bucket as public: PublicURL returns the provider's own address of
// an object. For a local or memory bucket that is the address of [WithSigningBaseURL],
// where the handler of package serve serves the objects that are public in the store.
// WithPublic makes nothing public.
func WithPublic() OpenOption { return openOption(func(o *unexported.OpenOptions) { o.Public = true }) }

// WithSigningBaseURL signs for the host that outside clients reach, if it is not the one
// that this process uses. A local or memory bucket has no address of its own: it signs for
// the handler of package serve that is mounted at base.
func WithSigningBaseURL(base string) OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.SigningBaseURL = baseURL(o, "WithSigningBaseURL", base) })
}

// WithVersions declares that the bucket keeps versions; the store is not asked. It makes a
// local or memory bucket keep them.
func WithVersions() OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.Versions = true })
}

// WithBufferLimit bounds the transfer buffers of all buckets that are opened with m together.
// By default all buckets of the process share 128 MiB.
func WithBufferLimit(m *BufferLimit) OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.BufferLimit = &m.limit })
}

// WithDefaultPartSize sets the part size in bytes of every upload that has no [WithPartSize].
// An upload of at most this size is one request; S3 bills by request. Parts may be larger if
// the body would exceed the store's number of parts. A body of unknown size is read into
// memory as far as one part. A store that takes any body in one request makes no parts.
//
// If the size is outside of the provider's bounds, every operation fails with
// InvalidArgument; if the provider has no parts, with Unsupported.
func WithDefaultPartSize(bytes int64) OpenOption {
	return openOption(func(o *unexported.OpenOptions) {
		if bytes < 1 {
			o.Fail(invalid("WithDefaultPartSize", "must be at least 1"))
		}
		o.PartSize = bytes
	})
}

// WithRetry sets how often and for how long a failed request is retried. Retrying an
// unconditional write may overwrite a later write by another client. To prevent that, use
// [IfRevision].
func WithRetry(p RetryPolicy) OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.Retry = unexported.Retry(p) })
}

// WithTelemetry reports spans to t and metrics to m. For nil, the global provider is used,
// which is the default.
func WithTelemetry(t trace.TracerProvider, m metric.MeterProvider) OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.Tracer, o.Meter = t, m })
}

// WithHook runs h around every operation. Several hooks run in the order given. If h is
// nil, every operation fails with InvalidArgument.
func WithHook(h Hook) OpenOption {
	return openOption(func(o *unexported.OpenOptions) {
		if h == nil {
			o.Fail(invalid("WithHook", "must not be nil"))
			return
		}
		hooks, _ := o.Hooks.([]Hook)
		o.Hooks = append(hooks, h)
	})
}

const defaultBufferLimitBytes = 128 << 20

// A BufferLimit bounds the transfer buffers of all buckets that share it. The blocks that [ReaderAt]
// keeps are part of the limit, and give way to transfers.
//
// No transfer waits for ever. If no granted buffer is on its way to or from a store, only a caller
// could free one: then the next request is granted 64 KiB over the limit.
type BufferLimit struct{ limit buffer.Limit }

// NewBufferLimit makes a BufferLimit of limit bytes; below 1 MiB it is 1 MiB.
func NewBufferLimit(limit int64) *BufferLimit {
	return &BufferLimit{buffer.Limit{Max: max(limit, 1<<20)}}
}

var defaultBufferLimit = sync.OnceValue(func() *BufferLimit { return NewBufferLimit(defaultBufferLimitBytes) })

// WithAttemptSpans adds a span for each call of the driver.Driver: each attempt of a request, each
// part of an upload, each range of a download, each page of a listing. They are children of the
// operation's span. The span of a Get ends when the body begins. By default there is one span
// for each operation.
func WithAttemptSpans() OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.AttemptSpans = true })
}

// WithHedgedReads makes a second request if a read waits longer for its first response than
// 95 percent of the recent ones did. After many such requests, it waits up to twice as long. The
// first response is used, and the other request is canceled. Downloads are hedged, with all their
// ranges, and so are Attrs and Exists. It shortens the rare long waits of a store, at the cost
// of at most 5 percent more reads.
//
// The first 20 requests of each kind are only measured. There is no second request while the
// store throttles the bucket, and none to a store on this machine. Without WithHedgedReads,
// which is the default, no read is hedged.
func WithHedgedReads() OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.HedgedReads = true })
}

// A RetryPolicy sets how often and for how long a request is retried if it fails for a reason
// that passes. It holds for every request of a bucket: parts, pages, batches and copies too. The
// zero value is the default policy; a field that is 0 has its default.
type RetryPolicy struct {
	// Attempts bounds how often one request is made, the first attempt included. The default
	// is 5, and 12 for a request that the store throttles ([RateLimited]). 1 turns retries
	// off: every failure is returned at once. Then throttling does not slow the bucket, either.
	Attempts int
	// MaxDelay is the longest wait between two attempts, by default 20 s. The
	// first wait is up to 50 ms and doubles each time, with full jitter. After
	// [RateLimited] the first three are up to 1 s, and later ones double. A store
	// that asks for a longer wait (Retry-After) gets it, up to MaxDelay.
	MaxDelay time.Duration
	// MaxWait bounds the sum of the waits between the attempts of one request; the default is
	// one minute. The attempts themselves do not count. Nor does the time for which a request
	// is held back because the store throttles the bucket: only ctx bounds that.
	MaxWait time.Duration
	// Stall is how long a connection may move no byte in either direction before it counts as
	// dropped, by default 30 s. It holds for every request. While a large body is sent, it is
	// four times as long, because the system buffers a megabyte or more without reporting
	// progress; after the body it is twice as long. A server-side copy may take longer: on S3
	// a minute and one second for each 6 MiB of the object, at most 15 minutes.
	Stall time.Duration
}

// A Hook runs around every operation, to log, meter or deny it. done, which may be
// nil, runs when the operation ends; for a download, at Close. If err is not nil, the
// operation fails with err's Code, or with PermissionDenied if err has none. If
// hookCtx is nil, the operation uses ctx.
type Hook func(ctx context.Context, op Operation) (hookCtx context.Context, done func(Outcome), err error)

// An Operation describes a call to a [Hook]. It names whole keys, also if the call
// came through Prefixed. Each batch of [RemoveAll] and the sources of [Compose] pass
// the hooks too; so does the source of [Copy], as a Download through the hooks of its
// own bucket.
type Operation struct {
	Name, Provider, Bucket string
	Key                    string   // or the prefix of a listing
	Keys                   []string // a batch's keys, Compose's sources; else nil
}

// An Outcome tells how an operation ended.
type Outcome struct {
	Err   error
	Bytes int64
	// Requests counts the HTTP requests to the store, with retries and without requests for
	// credentials. It counts calls of the driver.Driver instead if the store does not speak HTTP
	// (memory, a local directory) or the driver does not declare CountsRequests. It does so
	// too if the caller supplied the client of Google's or Azure's SDK.
	Requests int
}
