package main

import (
	"context"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/omnibucket/storage"
)

// noTelemetry returns an option that replaces telemetry with an implementation that costs nothing.
// Even the no-op implementation of OpenTelemetry puts a span into the context, which would be
// measured.
func noTelemetry() storage.OpenOption {
	return storage.WithTelemetry(noopProvider{}, metricnoop.MeterProvider{})
}

type noopProvider struct{ tracenoop.TracerProvider }

func (noopProvider) Tracer(string, ...trace.TracerOption) trace.Tracer { return noopTracer{} }

type noopTracer struct{ tracenoop.Tracer }

func (noopTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, tracenoop.Span{}
}
