// Telemetry prints the spans and metrics that a program's operations report.
//
//	go run ./examples/telemetry
//	go run ./examples/telemetry -bucket 'file:///tmp/demo?create=true'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
)

func main() {
	address := flag.String("bucket", "mem://telemetry", "address of the bucket")
	flag.Parse()
	if err := run(context.Background(), *address, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string, w io.Writer) error {
	// A real program would send spans and metrics to a collector with the exporters of
	// OpenTelemetry.
	spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(printer{w}))
	reader := sdkmetric.NewManualReader()
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	bucket, err := storage.Open(ctx, address, storage.WithTelemetry(spans, metrics), storage.WithAttemptSpans())
	if err != nil {
		return err
	}
	defer storage.Close(bucket)

	// The provider of spans prints each span when it ends. One of the operations fails on purpose.
	fmt.Fprintln(w, "spans:")
	if _, err := bucket.Upload(ctx, "telemetry/a.txt", strings.NewReader("hello")); err != nil {
		return err
	}
	_, _, err = storage.ReadAll(ctx, bucket, "telemetry/missing.txt")
	if err == nil {
		return errors.New("telemetry/missing.txt exists")
	}
	if !errors.Is(err, storage.ObjectNotFound) {
		return err
	}
	if err := bucket.Remove(ctx, "telemetry/a.txt"); err != nil {
		return err
	}

	fmt.Fprintln(w, "metrics:")
	return printMetrics(ctx, reader, w)
}

// A printer is an exporter that prints spans when they end.
type printer struct{ out io.Writer }

func (p printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		fmt.Fprintf(p.out, "  %s [%s]%s\n", s.Name(), s.Status().Code, text(s.Attributes()))
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }

// printMetrics prints the counts of all metrics. A histogram shows how many values it has, and a sum
// shows its value.
func printMetrics(ctx context.Context, reader *sdkmetric.ManualReader, w io.Writer) error {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		return err
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					fmt.Fprintf(w, "  %s: %d%s\n", m.Name, point.Count, text(point.Attributes.ToSlice()))
				}
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					fmt.Fprintf(w, "  %s: %d%s\n", m.Name, point.Value, text(point.Attributes.ToSlice()))
				}
			}
		}
	}
	return nil
}

func text(attributes []attribute.KeyValue) string {
	var b strings.Builder
	for _, a := range attributes {
		// these attributes are the same on all lines
		if a.Key != "omnibucket.provider" && a.Key != "omnibucket.bucket" {
			fmt.Fprintf(&b, " %s=%s", a.Key, a.Value.String())
		}
	}
	return b.String()
}
