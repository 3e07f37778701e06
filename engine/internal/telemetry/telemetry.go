// Package telemetry reports operations to OpenTelemetry.
//
// A [Reporter] belongs to one bucket. Each operation is a [Call]: Start begins its span, and End
// adds the outcome and records the metrics. If nothing collects traces or metrics, no attributes
// are built, and a call that stays on this machine has no span.
package telemetry

import (
	"context"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// durationBounds are the histogram bounds, in seconds, that OpenTelemetry's semantic conventions
// give for the duration of HTTP requests.
var durationBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

const instrumentation = "github.com/omnibucket/storage"

// origin is the time to which Call.started is relative. Every Call has that field, and a duration
// takes a third of the memory of a time.Time.
var origin = time.Now()

// A Config describes a bucket, and has the providers to which a [Reporter] reports. If a provider
// is nil, the global one of OpenTelemetry is used.
type Config struct {
	Tracer           trace.TracerProvider
	Meter            metric.MeterProvider
	Provider, Bucket string
	Location         string // the URL of the store, if it has one
	Local            bool   // whether the bucket is on this machine
}

// A Reporter reports every operation of one bucket or account.
type Reporter struct {
	tracer       trace.Tracer
	startOptions []trace.SpanStartOption // the same for every span of this bucket
	common       []attribute.KeyValue
	duration     metric.Float64Histogram
	bytes        metric.Int64Counter
	requests     metric.Int64Counter
	grants       metric.Int64Counter

	// placeholder stands for the global TracerProvider until the program sets one. It is nil if New got
	// a real TracerProvider, from the Config or from OpenTelemetry.
	placeholder trace.TracerProvider
	local       bool
}

// New returns a Reporter for the bucket that c describes. It uses OpenTelemetry's global providers
// where c names none.
func New(c Config) *Reporter {
	tracer := c.Tracer
	if tracer == nil {
		tracer = otel.GetTracerProvider()
	}
	meter := c.Meter
	if meter == nil {
		meter = otel.GetMeterProvider()
	}

	// Every span and metric has the attributes of the bucket.
	common := []attribute.KeyValue{
		attribute.String("omnibucket.provider", c.Provider),
		attribute.String("omnibucket.bucket", c.Bucket),
	}
	common = append(common, serverOf(c.Location)...)
	r := &Reporter{
		local:  c.Local,
		tracer: tracer.Tracer(instrumentation),
		startOptions: []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(common...),
		},
		common: common,
	}
	if c.Tracer == nil && isPlaceholder(tracer) {
		// A program may set a global provider later, which idle must notice.
		r.placeholder = tracer
	}
	r.addInstruments(meter.Meter(instrumentation))
	return r
}

// addInstruments makes the instruments. It ignores errors, because only a wrong name could cause one,
// and OpenTelemetry then returns an instrument that does nothing.
func (r *Reporter) addInstruments(m metric.Meter) {
	r.duration, _ = m.Float64Histogram(
		"omnibucket.operation.duration",
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(durationBounds...),
		metric.WithDescription("How long operations took."),
	)
	r.bytes, _ = m.Int64Counter(
		"omnibucket.operation.bytes",
		metric.WithUnit("By"),
		metric.WithDescription("Bytes of objects that operations moved."),
	)
	r.requests, _ = m.Int64Counter(
		"omnibucket.operation.requests",
		metric.WithUnit("{request}"),
		metric.WithDescription("Requests that operations made to the provider, retries included."),
	)
	r.grants, _ = m.Int64Counter(
		"omnibucket.buffer_limit.overgrants",
		metric.WithUnit("{grant}"),
		metric.WithDescription("Buffers granted over the limit of a BufferLimit, because waiting would not have ended."),
	)
}

// serverOf returns the attributes for the host and port of location, or nil if it is no HTTP URL.
func serverOf(location string) []attribute.KeyValue {
	u, err := url.Parse(location)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	attributes := []attribute.KeyValue{attribute.String("server.address", u.Hostname())}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		attributes = append(attributes, attribute.Int("server.port", port))
	}
	return attributes
}

// isPlaceholder reports whether p is the provider that OpenTelemetry returns until a program sets
// one.
func isPlaceholder(p trace.TracerProvider) bool {
	kind := reflect.TypeOf(p)
	return kind.Kind() == reflect.Pointer && kind.Elem().PkgPath() == "go.opentelemetry.io/otel/internal/global"
}

// idle reports whether a call should have no span. A local call has no span if no provider is set,
// because even an empty span takes a fifth of the time of a read from memory. A call over a network
// always has a span: its cost does not matter there, and instrumentation tools outside the program
// can see it.
func (r *Reporter) idle(local bool) bool {
	return r.placeholder != nil && (local || r.local) && otel.GetTracerProvider() == r.placeholder
}

// A Call is one operation in progress.
type Call struct {
	span     trace.Span    // nil if nothing collects traces
	started  time.Duration // time since origin; 0 if nothing collects metrics
	measured bool          // whether something collects metrics
}

// An Outcome is the result of a call.
type Outcome struct {
	Bytes, Requests int64
	OverGrants      int64 // number of buffers that were granted although the limit was reached
	Failure         Failure
}

// A Failure describes the error of a call. The zero value means that there was no error.
type Failure struct {
	Err      error
	Code     string
	Expected bool // whether the error is a normal result, such as a missing object
}

// errorType returns the Code as the attribute error.type, with underscores for spaces:
// "object_not_found".
func (f *Failure) errorType() attribute.KeyValue {
	return attribute.String("error.type", strings.ReplaceAll(f.Code, " ", "_"))
}

// Start begins the span and the measurement of a call. keys is the number of keys, or 0 if the call
// has no list of them. local is true if the call stays on this machine, as signing does.
func (r *Reporter) Start(ctx context.Context, c *Call, name, key string, keys int, local bool) context.Context {
	c.measured = r.measures(ctx)
	if c.measured {
		c.started = time.Since(origin)
	}
	if r.idle(local) {
		// Nothing collects traces.
		return ctx
	}

	ctx, span := r.tracer.Start(ctx, "storage."+name, r.startOptions...)
	if span.IsRecording() {
		if key != "" {
			span.SetAttributes(attribute.String("omnibucket.key", key))
		}
		if keys > 0 {
			span.SetAttributes(attribute.Int("omnibucket.keys", keys))
		}
	}
	c.span = span
	return ctx
}

// measures reports whether anybody collects metrics.
func (r *Reporter) measures(ctx context.Context) bool {
	return r.duration.Enabled(ctx) || r.bytes.Enabled(ctx) || r.requests.Enabled(ctx)
}

// End ends the span of a call and records its metrics.
func (r *Reporter) End(c *Call, name string, o Outcome) {
	if c.span != nil {
		c.end(&o)
	}
	if c.measured {
		r.measure(c, name, &o)
	}
}

// end ends the span of the call, after adding the outcome if the span is recorded. A failure that
// programs expect, such as a missing object, does not mark the span as failed.
func (c *Call) end(o *Outcome) {
	defer c.span.End()
	if !c.span.IsRecording() {
		return
	}
	c.span.SetAttributes(
		attribute.Int64("omnibucket.bytes", o.Bytes),
		attribute.Int64("omnibucket.requests", o.Requests),
	)
	failure := &o.Failure
	if failure.Err == nil {
		return
	}
	c.span.SetAttributes(failure.errorType())
	if !failure.Expected {
		c.span.SetStatus(codes.Error, failure.Err.Error())
	}
}

// measure records how long a call took, and what it moved, requested and was granted.
func (r *Reporter) measure(c *Call, name string, o *Outcome) {
	ctx := context.Background() // the caller's context may have ended
	attributes := append(make([]attribute.KeyValue, 0, 6), r.common...)
	attributes = append(attributes, attribute.String("omnibucket.operation", name))
	if o.Failure.Err != nil {
		attributes = append(attributes, o.Failure.errorType())
	}

	// Each of the measurements has the same attributes.
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	r.duration.Record(ctx, (time.Since(origin) - c.started).Seconds(), set)
	if o.Bytes > 0 {
		r.bytes.Add(ctx, o.Bytes, set)
	}
	if o.Requests > 0 {
		r.requests.Add(ctx, o.Requests, set)
	}
	if o.OverGrants > 0 {
		r.grants.Add(ctx, o.OverGrants, set)
	}
}

// Attempt calls next, which makes one call of a driver. The call has a span of its own if anything may
// collect spans. failure describes an error of next for the span.
func (r *Reporter) Attempt(
	ctx context.Context, call string, next func(context.Context) error, failure func(error) Failure,
	extra ...attribute.KeyValue,
) error {
	const local = false // idle knows whether the store is local
	if r.idle(local) {
		return next(ctx)
	}

	ctx, span := r.tracer.Start(ctx, "storage.driver."+call, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(r.common...))
	defer span.End()
	span.SetAttributes(extra...)

	err := next(ctx)
	if err != nil {
		f := failure(err)
		span.SetAttributes(f.errorType())
		if !f.Expected {
			span.SetStatus(codes.Error, f.Code)
		}
	}
	return err
}
