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
	reporter      *telemetry.Reporter
}

// withTelemetry returns a driver that makes a span for each call of d.
func withTelemetry(reporter *telemetry.Reporter, d driver.Driver) driver.Driver {
	intercepted := driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		return reporter.Attempt(ctx, call, next, telemetryFailure)
	})
	return &tracedDriver{
		Driver:   intercepted,
		inner:    d,
		reporter: reporter,
	}
}

// PutPart calls the driver's PutPart, in a span with the number of the part.
func (d *tracedDriver) PutPart(ctx context.Context, req *driver.PartRequest) (part driver.Part, err error) {
	put := func(ctx context.Context) (err error) {
		part, err = d.inner.PutPart(ctx, req)
		return err
	}
	err = d.reporter.Attempt(ctx, "PutPart", put, telemetryFailure, attribute.Int("omnibucket.part", req.Number))
	return part, err
}

// reporter returns a Reporter for the operations of the bucket or account that desc describes.
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

// telemetryFailure describes an error for telemetry. A Code that programs expect, such as
// ObjectNotFound, does not mark the span as failed.
func telemetryFailure(err error) telemetry.Failure {
	code := storage.CodeOf(err)
	failure := telemetry.Failure{Err: err, Code: string(code)}
	switch code {
	case storage.ObjectNotFound, storage.PreconditionFailed, storage.NotModified, storage.Canceled:
		failure.Expected = true
	}
	return failure
}
