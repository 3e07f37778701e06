package storage

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

// durationBounds are those of OpenTelemetry's semantic conventions for the duration
// of HTTP requests, in seconds.
var durationBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

const instrumentation = "github.com/omnibucket/storage"

// telemetry reports every operation of one bucket or account. If nobody listens, it builds no
// attributes.
type telemetry struct {
	tracer       trace.Tracer
	startOptions []trace.SpanStartOption // the same for every span of this bucket
	common       []attribute.KeyValue
	duration     metric.Float64Histogram
	bytes        metric.Int64Counter
	requests     metric.Int64Counter
	grants       metric.Int64Counter

	// unset is the global provider before anybody has set one, for a bucket on this machine;
	// else nil.
	unset trace.TracerProvider
}

// processStart is the origin of times: a duration is a third of a time.Time, and every
// operation has one.
var processStart = time.Now()

func sinceStart() time.Duration { return time.Since(processStart) }

func newTelemetry(o *openOptions, desc Description) *telemetry {
	tracer, meter := o.tracer, o.meter
	if tracer == nil {
		tracer = otel.GetTracerProvider()
	}
	if meter == nil {
		meter = otel.GetMeterProvider()
	}
	common := []attribute.KeyValue{
		attribute.String("omnibucket.provider", desc.Provider),
		attribute.String("omnibucket.bucket", desc.Bucket),
	}
	common = append(common, server(desc.Location)...)
	t := &telemetry{
		tracer: tracer.Tracer(instrumentation),
		startOptions: []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(common...),
		},
		common: common,
	}
	// If an instrument cannot be made, one that does nothing is returned. The error would be
	// about a name in this file: no caller could act on it.
	m := meter.Meter(instrumentation)
	t.duration, _ = m.Float64Histogram("omnibucket.operation.duration", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(durationBounds...), metric.WithDescription("How long operations took."))
	t.bytes, _ = m.Int64Counter("omnibucket.operation.bytes", metric.WithUnit("By"),
		metric.WithDescription("Bytes of objects that operations moved."))
	t.requests, _ = m.Int64Counter("omnibucket.operation.requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that operations made to the provider, retries included."))
	if o.tracer == nil && desc.Local && isPlaceholder(tracer) {
		t.unset = tracer
	}
	t.grants, _ = m.Int64Counter("omnibucket.buffer_limit.overgrants", metric.WithUnit("{grant}"),
		metric.WithDescription("Buffers granted over the limit of a BufferLimit, because waiting would not have ended."))
	return t
}

// server returns the attributes of a store that is reached over HTTP.
func server(location string) []attribute.KeyValue {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return nil
	}
	attributes := []attribute.KeyValue{attribute.String("server.address", u.Hostname())}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		attributes = append(attributes, attribute.Int("server.port", port))
	}
	return attributes
}

// isPlaceholder reports whether p is what OpenTelemetry hands out until a
// provider is set.
func isPlaceholder(p trace.TracerProvider) bool {
	kind := reflect.TypeOf(p)
	return kind.Kind() == reflect.Pointer && kind.Elem().PkgPath() == "go.opentelemetry.io/otel/internal/global"
}

// idle reports whether no span would be recorded. A span that records nothing costs a fifth of a
// read from memory, so a bucket in memory or a directory has none until a provider is set. For
// a request over a network that cost is nothing, and tools that instrument a program from
// outside find the span.
func (t *telemetry) idle() bool { return t.unset != nil && otel.GetTracerProvider() == t.unset }

func (t *telemetry) start(ctx context.Context, o *operation) context.Context {
	if o.measured = t.measures(ctx); o.measured {
		o.started = sinceStart()
	}
	if t.idle() {
		return ctx
	}
	ctx, span := t.tracer.Start(ctx, "storage."+o.name, t.startOptions...)
	if span.IsRecording() {
		if o.key != "" {
			span.SetAttributes(attribute.String("omnibucket.key", o.key))
		}
		if o.keys != nil {
			span.SetAttributes(attribute.Int("omnibucket.keys", len(o.keys)))
		}
	}
	o.span = span
	return ctx
}

func (t *telemetry) end(o *operation, err error) {
	if o.span != nil {
		endSpan(o, err)
	}
	if o.measured {
		t.measure(o, err)
	}
}

func endSpan(o *operation, err error) {
	if o.span.IsRecording() {
		o.span.SetAttributes(
			attribute.Int64("omnibucket.bytes", o.bytes.Load()),
			attribute.Int("omnibucket.requests", int(o.wire.Requests.Load())),
		)
		if err != nil {
			o.span.SetAttributes(errorType(err))
			if !isExpected(err) {
				o.span.SetStatus(codes.Error, err.Error())
			}
		}
	}
	o.span.End()
}

// errorType returns the Code as an attribute, with underscores: "object_not_found".
func errorType(err error) attribute.KeyValue {
	return attribute.String("error.type", strings.ReplaceAll(string(CodeOf(err)), " ", "_"))
}

// isExpected reports whether an error is a result that programs expect: nothing went wrong in
// the operation.
func isExpected(err error) bool {
	switch CodeOf(err) {
	case ObjectNotFound, PreconditionFailed, NotModified, Canceled:
		return true
	}
	return false
}

// measures reports whether anybody collects metrics.
func (t *telemetry) measures(ctx context.Context) bool {
	return t.duration.Enabled(ctx) || t.bytes.Enabled(ctx) || t.requests.Enabled(ctx)
}

func (t *telemetry) measure(o *operation, err error) {
	ctx := context.Background() // the caller's may be done
	attributes := append(make([]attribute.KeyValue, 0, 6), t.common...)
	attributes = append(attributes, attribute.String("omnibucket.operation", o.name))
	if err != nil {
		attributes = append(attributes, errorType(err))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	t.duration.Record(ctx, (sinceStart() - o.started).Seconds(), set)
	if n := o.bytes.Load(); n > 0 {
		t.bytes.Add(ctx, n, set)
	}
	if n := o.wire.Requests.Load(); n > 0 {
		t.requests.Add(ctx, int64(n), set)
	}
	if n := o.overGrants.Load(); n > 0 {
		t.grants.Add(ctx, int64(n), set)
	}
}
