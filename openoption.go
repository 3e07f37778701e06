package storage

import (
	"net/url"
	"strings"

	"github.com/omnibucket/storage/internal/unexported"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// An OpenOption fits [New], [Open], [NewService], [OpenService] and a provider's
// constructor: [WithPublic], [WithPublicBaseURL], [WithSigningBaseURL], [WithVersions],
// [WithObjectLock], [WithBufferLimit], [WithDefaultPartSize], [WithRetry], [WithHedgedReads], [WithTelemetry], [WithAttemptSpans], [WithHook],
// [WithLayer].
// A provider's own settings are fields of its Config.
type OpenOption interface{ applyOpen(*unexported.OpenOptions) }

type openOption func(*unexported.OpenOptions)

func (o openOption) applyOpen(to *unexported.OpenOptions) { o(to) }

func readOpenOptions(opts []OpenOption) *unexported.OpenOptions {
	o := &unexported.OpenOptions{BufferLimit: &defaultBufferLimit().limit, Hooks: []Hook(nil)}
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
