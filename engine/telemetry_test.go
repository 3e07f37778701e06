package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// A recorder is a TracerProvider that keeps the spans, and the attributes of metrics by the name of the metric.
type recorder struct {
	tracenoop.TracerProvider
	mu      sync.Mutex
	spans   []*recordedSpan
	metrics map[string][]attribute.Set
	bounds  []float64 // of the histogram
}

func (r *recorder) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return recordingTracer{recorder: r}
}

type recordingTracer struct {
	tracenoop.Tracer
	recorder *recorder
}

func (t recordingTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(opts...)
	span := &recordedSpan{name: name, attributes: config.Attributes()}
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	t.recorder.spans = append(t.recorder.spans, span)
	return trace.ContextWithSpan(ctx, span), span
}

type recordedSpan struct {
	tracenoop.Span
	name       string
	attributes []attribute.KeyValue
	status     string
	code       codes.Code
	ended      bool
}

func (span *recordedSpan) IsRecording() bool { return true }
func (span *recordedSpan) End(...trace.SpanEndOption) {
	span.ended = true
}
func (span *recordedSpan) SetAttributes(kv ...attribute.KeyValue) {
	span.attributes = append(span.attributes, kv...)
}
func (span *recordedSpan) SetStatus(code codes.Code, text string) {
	span.code = code
	span.status = text
}

func (span *recordedSpan) attr(key string) string {
	for _, kv := range span.attributes {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

type recordingMeters struct {
	metricnoop.MeterProvider
	recorder *recorder
}

func (p recordingMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return recordingMeter{recorder: p.recorder}
}

type recordingMeter struct {
	metricnoop.Meter
	recorder *recorder
}

func (m recordingMeter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	m.recorder.bounds = metric.NewFloat64HistogramConfig(opts...).ExplicitBucketBoundaries()
	return recordingHistogram{name: name, recorder: m.recorder}, nil
}

func (m recordingMeter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return recordingCounter{name: name, recorder: m.recorder}, nil
}

func (r *recorder) measured(name string, set attribute.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics[name] = append(r.metrics[name], set)
}

type recordingHistogram struct {
	metricnoop.Float64Histogram
	name     string
	recorder *recorder
}

func (h recordingHistogram) Enabled(context.Context) bool { return true }
func (h recordingHistogram) Record(_ context.Context, _ float64, opts ...metric.RecordOption) {
	h.recorder.measured(h.name, metric.NewRecordConfig(opts).Attributes())
}

type recordingCounter struct {
	metricnoop.Int64Counter
	name     string
	recorder *recorder
}

func (c recordingCounter) Enabled(context.Context) bool { return true }
func (c recordingCounter) Add(_ context.Context, _ int64, opts ...metric.AddOption) {
	c.recorder.measured(c.name, metric.NewAddConfig(opts).Attributes())
}

// newRecorder returns a recorder without spans and metrics.
func newRecorder() *recorder {
	return &recorder{metrics: map[string][]attribute.Set{}}
}

// option returns the option that makes a bucket report to the recorder.
func (r *recorder) option() storage.OpenOption {
	return storage.WithTelemetry(r, recordingMeters{recorder: r})
}

// newRecordedBucket returns a bucket in memory, and the recorder of its telemetry.
func newRecordedBucket(t *testing.T) (storage.Bucket, *recorder) {
	t.Helper()
	recorded := newRecorder()
	return memstore.New(recorded.option()), recorded
}

// Each operation of a bucket makes a span with its provider, its requests, and its key or prefix.
func TestSpanOfEachOperation(t *testing.T) {
	bucket, recorded := newRecordedBucket(t)
	ctx := t.Context()
	_, err := bucket.Upload(ctx, "a/k", strings.NewReader("body"))
	require.NoError(t, err)
	_, _, err = storage.ReadAll(ctx, bucket, "a/k")
	require.NoError(t, err)
	for _, err := range bucket.List(ctx, storage.WithPrefix("a/")) {
		require.NoError(t, err)
	}
	require.NoError(t, bucket.Remove(ctx, "a/k"))

	// Each operation has made one request.
	var names []string
	for _, span := range recorded.spans {
		names = append(names, span.name)
		require.True(t, span.ended, span.name)
		require.Equal(t, "memory", span.attr("omnibucket.provider"))
		require.Equal(t, "1", span.attr("omnibucket.requests"))
	}
	require.Equal(t, []string{"storage.Upload", "storage.Download", "storage.List", "storage.Remove"}, names)
	require.Equal(t, "a/k", recorded.spans[0].attr("omnibucket.key"))
	require.Equal(t, "4", recorded.spans[1].attr("omnibucket.bytes"))
	require.Equal(t, "a/", recorded.spans[2].attr("omnibucket.key"))
}

// The spans of Copy and Move have the number of source keys, even if the bucket has no hooks.
func TestSpanOfCopyCountsKeys(t *testing.T) {
	bucket, recorded := newRecordedBucket(t)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("body"))
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), bucket, "b", bucket, "a")
	require.NoError(t, err)
	_, err = storage.Move(t.Context(), bucket, "b", "c")
	require.NoError(t, err)

	counted := map[string]string{}
	for _, span := range recorded.spans {
		if span.attr("omnibucket.keys") != "" {
			counted[span.name] = span.attr("omnibucket.keys")
		}
	}
	require.Equal(t, map[string]string{"storage.Copy": "1", "storage.Move": "1"}, counted)
}

// The span and the metric of an operation that fails have its Code as error.type. The status of the span is an error,
// except for Codes that programs expect.
func TestSpanAndMetricOfFailure(t *testing.T) {
	tests := []struct {
		failure    storage.Code
		wantStatus codes.Code
		wantType   string
	}{
		{failure: storage.PermissionDenied, wantStatus: codes.Error, wantType: "permission_denied"},
		{failure: storage.BucketNotFound, wantStatus: codes.Error, wantType: "bucket_not_found"},
		{failure: storage.DeadlineExceeded, wantStatus: codes.Error, wantType: "deadline_exceeded"},
		{failure: storage.ObjectNotFound, wantStatus: codes.Unset, wantType: "object_not_found"},
		{failure: storage.PreconditionFailed, wantStatus: codes.Unset, wantType: "precondition_failed"},
		{failure: storage.NotModified, wantStatus: codes.Unset, wantType: "not_modified"},
		{failure: storage.Canceled, wantStatus: codes.Unset, wantType: "canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.wantType, func(t *testing.T) {
			recorded := newRecorder()
			// The hook refuses the call with the error of the test.
			failingHook := func(
				ctx context.Context, _ storage.Operation,
			) (context.Context, func(storage.Outcome), error) {
				return ctx, nil, tt.failure
			}
			bucket := memstore.New(recorded.option(), storage.WithHook(failingHook))

			_, err := bucket.Attrs(t.Context(), "k")
			require.ErrorIs(t, err, tt.failure)
			span := recorded.spans[0]
			require.Equal(t, tt.wantStatus, span.code)
			require.Equal(t, tt.wantType, span.attr("error.type"))

			// The metric has the same type of error.
			errorType, ok := recorded.metrics["omnibucket.operation.duration"][0].Value("error.type")
			require.True(t, ok)
			require.Equal(t, tt.wantType, errorType.AsString())
		})
	}
}

// The histogram of durations has the boundaries that OpenTelemetry recommends.
func TestMetricDurationBuckets(t *testing.T) {
	_, recorded := newRecordedBucket(t)
	require.Equal(t,
		[]float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}, recorded.bounds)
}

// The span of Exists for a missing object shows no failure.
func TestSpanOfExistsIsNoFailure(t *testing.T) {
	bucket, recorded := newRecordedBucket(t)
	exists, err := bucket.Exists(t.Context(), "missing")
	require.NoError(t, err)
	require.False(t, exists)
	require.Equal(t, codes.Unset, recorded.spans[0].code)
}

// Metrics have no attribute that shows the key of an object.
func TestMetricsCarryNoKeys(t *testing.T) {
	bucket, recorded := newRecordedBucket(t)
	_, err := bucket.Upload(t.Context(), "private-name", strings.NewReader("body"))
	require.NoError(t, err)

	metrics := []string{
		"omnibucket.operation.duration",
		"omnibucket.operation.bytes",
		"omnibucket.operation.requests",
	}
	for _, metric := range metrics {
		require.Len(t, recorded.metrics[metric], 1, metric)
		for _, attr := range recorded.metrics[metric][0].ToSlice() {
			require.NotContains(t, attr.Value.String(), "private-name")
		}
	}
}

// The context that a hook gets contains the span of its operation.
func TestSpanContainsHook(t *testing.T) {
	recorded := newRecorder()
	var span trace.Span
	bucket := memstore.New(
		recorded.option(),
		storage.WithHook(func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
			span = trace.SpanFromContext(ctx)
			return ctx, nil, nil
		}))
	_, err := bucket.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.Same(t, recorded.spans[0], span)
}

// A remoteDriver is the memory driver with the address of a server in its Description.
type remoteDriver struct{ driver.Driver }

func (d remoteDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Location = "https://storage.example.com:8443/account"
	return desc
}

// Spans and metrics have the address of the server.
func TestSpanNamesServer(t *testing.T) {
	recorded := newRecorder()
	bucket := engine.New(remoteDriver{memstore.NewDriver(memstore.Config{})},
		recorded.option())

	_, err := bucket.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "storage.example.com", recorded.spans[0].attr("server.address"))
	require.Equal(t, "8443", recorded.spans[0].attr("server.port"))

	address, ok := recorded.metrics["omnibucket.operation.duration"][0].Value("server.address")
	require.True(t, ok)
	require.Equal(t, "storage.example.com", address.AsString())
}

// WithAttemptSpans gives each attempt and each part a span of its own.
func TestSpanOfAttemptsAndParts(t *testing.T) {
	recorded := newRecorder()

	// The second request for a part fails, and is repeated.
	injector := faults.New(faults.Fail(faults.PutPart).Nth(2))
	bucket := memstore.New(
		recorded.option(),
		storage.WithAttemptSpans(),
		driver.WithLayer(injector.Layer()),
		storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}),
	)

	const partSize = 100
	body := strings.NewReader(strings.Repeat("x", 3*partSize))
	_, err := bucket.Upload(t.Context(), "k", body, storage.WithPartSize(partSize), storage.WithConcurrency(1))
	require.NoError(t, err)

	// The texts have the name of each span, its part and its error.
	var got []string
	for _, span := range recorded.spans {
		require.True(t, span.ended, span.name)
		text := span.name + " " + span.attr("omnibucket.part") + " " + span.attr("error.type")
		got = append(got, strings.TrimSpace(text))
	}
	want := []string{
		"storage.Upload",
		"storage.driver.BeginParts",
		"storage.driver.PutPart 1",
		"storage.driver.PutPart 2 unavailable",
		"storage.driver.PutPart 2",
		"storage.driver.PutPart 3",
		"storage.driver.CompleteParts",
	}
	require.Equal(t, want, got)
}
