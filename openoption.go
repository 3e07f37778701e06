package storage

import (
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// An OpenOption fits [New], [Open], [NewService], [OpenService] and a provider's
// constructor: [WithPublic], [WithPublicBaseURL], [WithSigningBaseURL], [WithVersions],
// [WithObjectLock], [WithBufferLimit], [WithDefaultPartSize], [WithRetry], [WithHedgedReads], [WithTelemetry], [WithAttemptSpans], [WithHook],
// [WithLayer].
// A provider's own settings are fields of its Config.
type OpenOption interface{ applyOpen(*openOptions) }

type openOptions struct {
	bad            *Error
	publicBaseURL  string
	public         bool
	signingBaseURL string
	versions       bool
	objectLock     bool
	serviced       bool // opened by a Service, which knows whether the bucket keeps versions
	bufferLimit    *BufferLimit
	partSize       int64
	retry          RetryPolicy
	hedgedReads    bool
	tracer         trace.TracerProvider
	meter          metric.MeterProvider
	hooks          []Hook
	layers         []Layer
	attemptSpans   bool
}

type openOption func(*openOptions)

func (o openOption) applyOpen(to *openOptions) { o(to) }

func readOpenOptions(opts []OpenOption) *openOptions {
	o := &openOptions{}
	for _, opt := range opts {
		if opt == nil {
			o.fail("option", "must not be nil")
			continue
		}
		opt.applyOpen(o)
	}
	if o.bufferLimit == nil {
		o.bufferLimit = defaultBufferLimit()
	}
	return o
}

func (o *openOptions) fail(argument, rule string) {
	if o.bad == nil {
		o.bad = invalid(argument, rule)
	}
}

func (o *openOptions) baseURL(option, base string) string {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		o.fail(option, "must be an http or https address without user, query or fragment")
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/"
}

// WithPublicBaseURL opens the bucket as public, and sets the address of the CDN or custom
// domain that serves its objects. If base is not an http or https URL, every operation on
// the bucket fails with InvalidArgument, as for any invalid OpenOption.
func WithPublicBaseURL(base string) OpenOption {
	return openOption(func(o *openOptions) {
		o.publicBaseURL = o.baseURL("WithPublicBaseURL", base)
		o.public = true
	})
}

// WithPublic opens the bucket as public: PublicURL returns the provider's own address of
// an object. For a local or memory bucket that is the address of [WithSigningBaseURL],
// where the handler of package serve serves the objects that are public in the store.
// WithPublic makes nothing public.
func WithPublic() OpenOption { return openOption(func(o *openOptions) { o.public = true }) }

// WithSigningBaseURL signs for the host that outside clients reach, if it is not the one
// that this process uses. A local or memory bucket has no address of its own: it signs for
// the handler of package serve that is mounted at base.
func WithSigningBaseURL(base string) OpenOption {
	return openOption(func(o *openOptions) { o.signingBaseURL = o.baseURL("WithSigningBaseURL", base) })
}

// WithVersions declares that the bucket keeps versions; the store is not asked. It makes a
// local or memory bucket keep them.
func WithVersions() OpenOption { return openOption(func(o *openOptions) { o.versions = true }) }

// WithBufferLimit bounds the transfer buffers of all buckets that are opened with m together.
// By default all buckets of the process share 128 MiB.
func WithBufferLimit(m *BufferLimit) OpenOption {
	return openOption(func(o *openOptions) { o.bufferLimit = m })
}

// WithDefaultPartSize sets the part size in bytes of every upload that has no [WithPartSize].
// An upload of at most this size is one request; S3 bills by request. Parts may be larger if
// the body would exceed the store's number of parts. A body of unknown size is read into
// memory as far as one part. A store that takes any body in one request makes no parts.
//
// If the size is outside of the provider's bounds, every operation fails with
// InvalidArgument; if the provider has no parts, with Unsupported.
func WithDefaultPartSize(bytes int64) OpenOption {
	return openOption(func(o *openOptions) {
		if bytes < 1 {
			o.fail("WithDefaultPartSize", "must be at least 1")
		}
		o.partSize = bytes
	})
}

// WithRetry sets how often and for how long a failed request is retried. Retrying an
// unconditional write may overwrite a later write by another client. To prevent that, use
// [IfRevision].
func WithRetry(p RetryPolicy) OpenOption { return openOption(func(o *openOptions) { o.retry = p }) }

// WithTelemetry reports spans to t and metrics to m. For nil, the global provider is used,
// which is the default.
func WithTelemetry(t trace.TracerProvider, m metric.MeterProvider) OpenOption {
	return openOption(func(o *openOptions) { o.tracer, o.meter = t, m })
}

// WithHook runs h around every operation. Several hooks run in the order given. If h is
// nil, every operation fails with InvalidArgument.
func WithHook(h Hook) OpenOption {
	return openOption(func(o *openOptions) {
		if h == nil {
			o.fail("WithHook", "must not be nil")
			return
		}
		o.hooks = append(o.hooks, h)
	})
}

// WithLayer wraps the driver in l. With several layers, the last is outermost. If l is nil,
// every operation fails with InvalidArgument.
func WithLayer(l Layer) OpenOption {
	return openOption(func(o *openOptions) {
		if l == nil {
			o.fail("WithLayer", "must not be nil")
			return
		}
		o.layers = append(o.layers, l)
	})
}
