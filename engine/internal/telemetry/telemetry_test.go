package telemetry

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// A recorder keeps the spans that are begun.
type recorder struct {
	tracenoop.TracerProvider
	spans []*recordedSpan
}

func (r *recorder) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{recorder: r} }

type tracer struct {
	tracenoop.Tracer
	recorder *recorder
}

func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(opts...)
	s := &recordedSpan{name: name, attributes: config.Attributes()}
	t.recorder.spans = append(t.recorder.spans, s)
	return ctx, s
}

type recordedSpan struct {
	tracenoop.Span
	name       string
	attributes []attribute.KeyValue
	code       codes.Code
	status     string
	ended      bool
}

func (s *recordedSpan) IsRecording() bool { return true }
func (s *recordedSpan) SetAttributes(attributes ...attribute.KeyValue) {
	s.attributes = append(s.attributes, attributes...)
}
func (s *recordedSpan) SetStatus(code codes.Code, status string) {
	s.code = code
	s.status = status
}
func (s *recordedSpan) End(...trace.SpanEndOption) { s.ended = true }

// all returns the attributes of a span as text.
func (s *recordedSpan) all() map[string]string {
	texts := map[string]string{}
	for _, a := range s.attributes {
		texts[string(a.Key)] = a.Value.String()
	}
	return texts
}

// The span of a call has its result: success or the Code of its error.
func TestSpanHasOutcome(t *testing.T) {
	err := errors.New("no such object")
	tests := []struct {
		name          string
		outcome       Outcome
		wantBytes     string
		wantRequests  string
		wantErrorType string
		wantCode      codes.Code // of the span's status
		wantStatus    string     // text of the span's status
	}{
		{
			name:         "success",
			outcome:      Outcome{Bytes: 3, Requests: 2},
			wantBytes:    "3",
			wantRequests: "2",
			wantCode:     codes.Unset,
		},
		{
			name:          "failure",
			outcome:       Outcome{Failure: Failure{Err: err, Code: "object not found"}},
			wantBytes:     "0",
			wantRequests:  "0",
			wantErrorType: "object_not_found",
			wantCode:      codes.Error,
			wantStatus:    "no such object",
		},
		{
			name:          "failure that programs expect",
			outcome:       Outcome{Failure: Failure{Err: err, Code: "object not found", Expected: true}},
			wantBytes:     "0",
			wantRequests:  "0",
			wantErrorType: "object_not_found",
			wantCode:      codes.Unset,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			telemetry := &recorder{}
			reporter := New(Config{
				Tracer:   telemetry,
				Meter:    metricnoop.NewMeterProvider(),
				Provider: "p",
				Bucket:   "b",
				Location: "https://h:81/x",
			})

			// Report one call of Upload with the key "k".
			const keys = 0 // the call has no list of keys
			const isLocal = false
			var call Call
			reporter.Start(t.Context(), &call, "Upload", "k", keys, isLocal)
			reporter.End(&call, "Upload", tt.outcome)

			// Its span has the outcome as a status.
			span := telemetry.spans[0]
			require.Equal(t, "storage.Upload", span.name)
			require.Equal(t, tt.wantCode, span.code)
			require.Equal(t, tt.wantStatus, span.status)
			require.True(t, span.ended)

			// The attributes have the call, the store and the outcome.
			want := map[string]string{
				"omnibucket.provider": "p",
				"omnibucket.bucket":   "b",
				"omnibucket.key":      "k",
				"server.address":      "h",
				"server.port":         "81",
				"omnibucket.bytes":    tt.wantBytes,
				"omnibucket.requests": tt.wantRequests,
			}
			if tt.wantErrorType != "" {
				want["error.type"] = tt.wantErrorType
			}
			require.Equal(t, want, span.all())
		})
	}
}

// Without a configured provider, a call makes a span only if its store is not on this machine.
func TestSpanOfLocalCallNeedsProvider(t *testing.T) {
	tests := []struct {
		name        string
		localBucket bool
		localCall   bool
		wantSpan    bool
	}{
		{name: "local bucket", localBucket: true},
		{name: "local call", localCall: true},
		{name: "call over a network", wantSpan: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const keys = 0 // the call has no list of keys
			var call Call
			reporter := New(Config{Local: tt.localBucket})
			reporter.Start(t.Context(), &call, "Upload", "k", keys, tt.localCall)
			hasSpan := call.span != nil
			require.Equal(t, tt.wantSpan, hasSpan)
			reporter.End(&call, "Upload", Outcome{})
		})
	}
}
