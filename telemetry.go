package storage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"github.com/omnibucket/storage/internal/telemetry"
	"github.com/omnibucket/storage/internal/unexported"
)

// WithAttemptSpans adds a span for each call of the [Driver]: each attempt of a request, each
// part of an upload, each range of a download, each page of a listing. They are children of the
// operation's span. The span of a Get ends when the body begins. By default there is one span
// for each operation.
func WithAttemptSpans() OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.AttemptSpans = true })
}

// tracedDriver has a span for each call. PutPart has one with the number of the part.
type tracedDriver struct {
	Driver // intercepted
	inner  Driver
	t      *telemetry.Reporter
}

func traced(t *telemetry.Reporter, d Driver) Driver {
	intercepted := Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		return t.Attempt(ctx, call, next, telemetryFailure)
	})
	return &tracedDriver{Driver: intercepted, inner: d, t: t}
}

func (d *tracedDriver) PutPart(ctx context.Context, r *PartRequest) (part Part, err error) {
	err = d.t.Attempt(ctx, "PutPart", func(ctx context.Context) (err error) {
		part, err = d.inner.PutPart(ctx, r)
		return err
	}, telemetryFailure, attribute.Int("omnibucket.part", r.Number))
	return part, err
}

// reporter returns what reports the operations of a bucket or account.
func reporter(o *unexported.OpenOptions, desc *Description) *telemetry.Reporter {
	return telemetry.New(telemetry.Config{
		Tracer: o.Tracer, Meter: o.Meter,
		Provider: desc.Provider, Bucket: desc.Bucket, Location: desc.Location, Local: desc.Local,
	})
}

// telemetryFailure describes an error. Some codes are results that programs expect: nothing went
// wrong in the operation.
func telemetryFailure(err error) telemetry.Failure {
	code := CodeOf(err)
	expected := code == ObjectNotFound || code == PreconditionFailed || code == NotModified || code == Canceled
	return telemetry.Failure{Err: err, Code: string(code), Expected: expected}
}
