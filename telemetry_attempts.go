package storage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// WithAttemptSpans adds a span for each call of the [Driver]: each attempt of a request, each
// part of an upload, each range of a download, each page of a listing. They are children of the
// operation's span. The span of a Get ends when the body begins. By default there is one span
// for each operation.
func WithAttemptSpans() OpenOption {
	return openOption(func(o *openOptions) { o.attemptSpans = true })
}

// tracedDriver has a span for each call. PutPart has one with the number of the part.
type tracedDriver struct {
	Driver // intercepted
	inner  Driver
	t      *telemetry
}

func (t *telemetry) traced(d Driver) Driver {
	intercepted := Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		return t.attempt(ctx, call, next)
	})
	return &tracedDriver{Driver: intercepted, inner: d, t: t}
}

func (d *tracedDriver) PutPart(ctx context.Context, r *PartRequest) (part Part, err error) {
	err = d.t.attempt(ctx, "PutPart", func(ctx context.Context) (err error) {
		part, err = d.inner.PutPart(ctx, r)
		return err
	}, attribute.Int("omnibucket.part", r.Number))
	return part, err
}

func (t *telemetry) attempt(ctx context.Context, call string, next func(context.Context) error, more ...attribute.KeyValue) error {
	if t.idle() {
		return next(ctx)
	}
	ctx, span := t.tracer.Start(ctx, "storage.driver."+call, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.common...))
	defer span.End()
	span.SetAttributes(more...)
	err := next(ctx)
	if err != nil {
		span.SetAttributes(errorType(err))
		if !isExpected(err) {
			span.SetStatus(codes.Error, string(CodeOf(err)))
		}
	}
	return err
}
