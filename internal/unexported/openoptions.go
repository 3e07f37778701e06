package unexported

import (
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/omnibucket/storage/internal/buffer"
)

// OpenOptions are those of the opening of a bucket or service.
type OpenOptions struct {
	Err            error // the first bad option
	PublicBaseURL  string
	Public         bool
	SigningBaseURL string
	Versions       bool
	ObjectLock     bool
	SoftDelete     time.Duration
	BufferLimit    *buffer.Limit
	PartSize       int64
	Retry          Retry
	HedgedReads    bool
	Tracer         trace.TracerProvider
	Meter          metric.MeterProvider
	Hooks          any   // []storage.Hook
	Layers         []any // each is a driver.Layer
	AttemptSpans   bool
}

// A Retry is a storage.RetryPolicy.
type Retry struct {
	Attempts                 int
	MaxDelay, MaxWait, Stall time.Duration
}

// Fail keeps the first failure of an option.
func (o *OpenOptions) Fail(err error) {
	if o.Err == nil {
		o.Err = err
	}
}
