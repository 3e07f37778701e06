package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/telemetry"
	"go.opentelemetry.io/otel/attribute"
)

// A tracedDriver makes a span for each call of a driver. The span of PutPart has the number of the
// part.
type tracedDriver struct {
	driver.Driver // intercepted
	inner         driver.Driver
	t             *telemetry.Reporter
}

func withTelemetry(t *telemetry.Reporter, d driver.Driver) driver.Driver {
	intercepted := driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		return t.Attempt(ctx, call, next, telemetryFailure)
	})
	return &tracedDriver{Driver: intercepted, inner: d, t: t}
}

func (d *tracedDriver) PutPart(ctx context.Context, r *driver.PartRequest) (part driver.Part, err error) {
	err = d.t.Attempt(ctx, "PutPart", func(ctx context.Context) (err error) {
		part, err = d.inner.PutPart(ctx, r)
		return err
	}, telemetryFailure, attribute.Int("omnibucket.part", r.Number))
	return part, err
}

// reporter returns a Reporter for the operations of one bucket or account.
func reporter(o *storage.OpenOptions, desc *driver.Description) *telemetry.Reporter {
	return telemetry.New(telemetry.Config{
		Tracer:   o.Tracer,
		Meter:    o.Meter,
		Provider: desc.Provider,
		Bucket:   desc.Bucket,
		Location: desc.Location,
		Local:    desc.Local,
	})
}

// telemetryFailure describes an error for telemetry. Codes such as ObjectNotFound are expected: the
// span is not marked as failed.
func telemetryFailure(err error) telemetry.Failure {
	code := storage.CodeOf(err)
	expected := code == storage.ObjectNotFound || code == storage.PreconditionFailed || code == storage.NotModified ||
		code == storage.Canceled
	return telemetry.Failure{Err: err, Code: string(code), Expected: expected}
}
