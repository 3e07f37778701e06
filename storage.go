// Package storage is one API for every object store: Amazon S3 and all that
// speak its protocol, Google Cloud Storage, Azure Blob Storage, a local
// directory and memory. Code that passes its tests on memory behaves the same
// on the others; the suite in storagetest proves it.
//
//	bucket, err := storage.Open(ctx, "file:///var/data/files?create=true")
//	attrs, err := bucket.Upload(ctx, "images/photo.jpg", file, storage.IfAbsent())
//	reader, err := bucket.Download(ctx, "images/photo.jpg")
//	for entry, err := range bucket.List(ctx, storage.WithPrefix("images/")) { … }
//
// A Bucket has nine methods. What can be built on them is a function of this
// package: ReadAll, UploadFile, Copy, Update, RemoveAll, FS and more. A
// provider's package (memstore, providers/local, …) registers the scheme of its
// addresses when it is imported.
//
// Errors are *Error with a Code: errors.Is(err, storage.ObjectNotFound), and
// errors.Is(err, fs.ErrNotExist) too.
package storage

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Open opens a bucket by address. A provider's package registers its scheme
// when it is imported:
//
//	mem://name
//	file:///var/data/files?create=true
//	s3://bucket?region=eu-west-1&endpoint=https://nyc3.digitaloceanspaces.com
//	gs://bucket
//	azblob://container?account=name
//
// Every address takes public=true, public_base_url=, signing_base_url= and
// versions=true. An unknown scheme or parameter is InvalidArgument and names
// those known. Credentials never stand in an address: they come from the
// provider's chain.
func Open(ctx context.Context, address string, opts ...OpenOption) (Bucket, error) {
	d, all, err := open(ctx, "Open", address, opts, func(o Opener) func(context.Context, *url.URL) (Driver, error) { return o.Driver })
	if err != nil {
		return nil, err
	}
	b := newBucket(d, all)
	if b.core.bad != nil {
		e := *b.core.bad
		e.Op = "Open"
		_ = d.Close()
		return nil, &e
	}
	return b, nil
}

// OpenService opens the account behind an address, without a bucket's name.
func OpenService(ctx context.Context, address string, opts ...OpenOption) (*Service, error) {
	d, all, err := open(ctx, "OpenService", address, opts, func(o Opener) func(context.Context, *url.URL) (ServiceDriver, error) { return o.Service })
	if err != nil {
		return nil, err
	}
	return NewService(d, all...), nil
}

// An Opener turns an address into a driver; the core has refused parameters
// that are not in Params, and wraps the driver with every OpenOption. A nil
// function is Unsupported.
type Opener struct {
	Params  []string // the provider's own query parameters
	Driver  func(ctx context.Context, address *url.URL) (Driver, error)
	Service func(ctx context.Context, address *url.URL) (ServiceDriver, error)
}

var registry = struct {
	sync.RWMutex
	openers map[string]Opener
}{openers: map[string]Opener{}}

// Register makes a scheme known to Open and OpenService. A scheme known already
// panics.
func Register(scheme string, o Opener) {
	registry.Lock()
	defer registry.Unlock()
	if _, known := registry.openers[scheme]; known {
		panic("storage: Register: scheme " + scheme + " is registered already")
	}
	registry.openers[scheme] = o
}

// open finds the opener of an address and has it open what the address names.
func open[D any](ctx context.Context, op, address string, opts []OpenOption, choose func(Opener) func(context.Context, *url.URL) (D, error)) (D, []OpenOption, error) {
	var none D
	fail := func(e *Error) (D, []OpenOption, error) {
		e.Op = op
		return none, nil, e
	}
	u, opener, e := parseAddress(address)
	if e != nil {
		return fail(e)
	}
	common, e := commonParams(u)
	if e != nil {
		return fail(e)
	}
	f := choose(opener)
	if f == nil {
		return fail(unsupported("scheme "+u.Scheme+" does not open this", ""))
	}
	d, err := f(ctx, u)
	if err != nil {
		return fail(asError(ctx, err))
	}
	return d, append(common, opts...), nil
}

func parseAddress(address string) (*url.URL, Opener, *Error) {
	if address == "" {
		return nil, Opener{}, invalid("address", "must not be empty")
	}
	u, err := url.Parse(address)
	if err != nil {
		// The error of url.Parse quotes the address, which may hold a secret.
		return nil, Opener{}, invalid("address", "must be a URL, such as mem://name or file:///path, with its parts escaped")
	}
	registry.RLock()
	opener, known := registry.openers[u.Scheme]
	schemes := slices.Sorted(maps.Keys(registry.openers))
	registry.RUnlock()
	if u.Scheme == "" {
		return nil, Opener{}, invalid("address", "must begin with a scheme; known are: "+strings.Join(schemes, ", "))
	}
	if !known {
		e := invalid("address", fmt.Sprintf("has scheme %s; known are: %s", quoted(u.Scheme), strings.Join(schemes, ", ")))
		e.Hint = "a provider's package registers its scheme when it is imported"
		return nil, Opener{}, e
	}
	if u.User != nil {
		return nil, Opener{}, invalid("address", "must not hold credentials; they come from the provider's own chain")
	}
	if u.Fragment != "" {
		return nil, Opener{}, invalid("address", `must not have a fragment; escape "#" as %23`)
	}
	return u, opener, checkParams(u, opener.Params)
}

var commonParameters = []string{"public", "public_base_url", "signing_base_url", "versions"}

func checkParams(u *url.URL, own []string) *Error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("address", "has a query that cannot be read")
	}
	known := slices.Sorted(slices.Values(slices.Concat(own, commonParameters)))
	for name, values := range query {
		if !slices.Contains(known, name) {
			return invalid("address", fmt.Sprintf("has parameter %s; known to %s are: %s", quoted(name), u.Scheme, strings.Join(known, ", ")))
		}
		if len(values) > 1 {
			return invalid("address", "has parameter "+quoted(name)+" more than once")
		}
	}
	return nil
}

func commonParams(u *url.URL) ([]OpenOption, *Error) {
	var opts []OpenOption
	query := u.Query()
	for name, option := range map[string]func() OpenOption{"public": WithPublic, "versions": WithVersions} {
		switch query.Get(name) {
		case "true":
			opts = append(opts, option())
		case "false":
		default:
			if query.Has(name) {
				return nil, invalid("address", "has a parameter "+name+" that is neither true nor false")
			}
		}
	}
	if query.Has("public_base_url") {
		opts = append(opts, WithPublicBaseURL(query.Get("public_base_url")))
	}
	if query.Has("signing_base_url") {
		opts = append(opts, WithSigningBaseURL(query.Get("signing_base_url")))
	}
	return opts, nil
}

// An OpenOption is for the core alone; a provider's own settings are its
// constructor's.
type OpenOption interface{ applyOpen(*openOptions) }

type openOptions struct {
	bad            *Error
	publicBaseURL  string
	public         bool
	signingBaseURL string
	versions       bool
	told           bool // that the bucket keeps versions, by its Service
	memory         *Memory
	retry          RetryPolicy
	tracer         trace.TracerProvider
	meter          metric.MeterProvider
	hooks          []Hook
	layers         []Layer
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
	if o.memory == nil {
		o.memory = defaultMemory()
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

// WithPublicBaseURL names the CDN or custom domain that serves the objects, and
// opens the bucket as public. What is no http or https address makes every
// operation InvalidArgument; so do the other options that are given nonsense.
func WithPublicBaseURL(base string) OpenOption {
	return openOption(func(o *openOptions) {
		o.publicBaseURL = o.baseURL("WithPublicBaseURL", base)
		o.public = true
	})
}

// WithPublic says that the objects are public at the provider's own address; of a
// local or memory bucket at WithSigningBaseURL's, where the handler of package
// serve shows those that are public in the store. It makes nothing public.
func WithPublic() OpenOption { return openOption(func(o *openOptions) { o.public = true }) }

// WithSigningBaseURL signs for the host that clients outside reach, where it is
// not the one used inside. A local or memory bucket has no other address: it
// signs for the handler of package serve that is mounted there.
func WithSigningBaseURL(base string) OpenOption {
	return openOption(func(o *openOptions) { o.signingBaseURL = o.baseURL("WithSigningBaseURL", base) })
}

// WithVersions says that the bucket keeps versions: said here, not asked of the
// store. A local or memory bucket is told to keep them.
func WithVersions() OpenOption { return openOption(func(o *openOptions) { o.versions = true }) }

// WithMemory bounds the transfer buffers of all buckets opened with m together;
// the default is one of 128 MiB for the process.
func WithMemory(m *Memory) OpenOption { return openOption(func(o *openOptions) { o.memory = m }) }

// WithRetry sets how often and how long a failed request is tried again. A
// retried write without a condition may overwrite another client's later write;
// who minds uses IfRevision.
func WithRetry(p RetryPolicy) OpenOption { return openOption(func(o *openOptions) { o.retry = p }) }

// WithTelemetry reports spans and metrics to these providers rather than the
// global ones; nil keeps the global one.
func WithTelemetry(t trace.TracerProvider, m metric.MeterProvider) OpenOption {
	return openOption(func(o *openOptions) { o.tracer, o.meter = t, m })
}

// WithHook runs h around every operation. Several run in the order given.
func WithHook(h Hook) OpenOption {
	return openOption(func(o *openOptions) {
		if h == nil {
			o.fail("WithHook", "must not be nil")
			return
		}
		o.hooks = append(o.hooks, h)
	})
}

// WithLayer wraps the driver; of several the last is outermost.
func WithLayer(l Layer) OpenOption {
	return openOption(func(o *openOptions) {
		if l == nil {
			o.fail("WithLayer", "must not be nil")
			return
		}
		o.layers = append(o.layers, l)
	})
}
