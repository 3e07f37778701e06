package storage_test

import (
	"context"
	"fmt"
	"strings"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// WithProgress calls its function while bytes are sent. The total is -1 as long as it is unknown.
func ExampleWithProgress() {
	ctx := context.Background()
	bucket := memstore.New()
	var last string
	report := func(transferred, total int64) {
		last = fmt.Sprintf("%d of %d bytes", transferred, total)
	}
	if _, err := bucket.Upload(ctx, "a.txt", strings.NewReader("hello"), storage.WithProgress(report)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(last)
	// Output: 5 of 5 bytes
}

// Compose makes one object of several, without their bytes passing through this process if the
// store can do that.
func ExampleCompose() {
	ctx := context.Background()
	bucket := memstore.New()
	for i, text := range []string{"first ", "second ", "third"} {
		if _, err := bucket.Upload(ctx, fmt.Sprintf("log/%d", i), strings.NewReader(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	attrs, err := storage.Compose(ctx, bucket, "log/all", []string{"log/0", "log/1", "log/2"})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _, err := storage.ReadAll(ctx, bucket, "log/all")
	fmt.Println(attrs.Size, string(text), err)
	// Output: 18 first second third <nil>
}

// Buckets that are opened with one limit share the memory of their transfers. An upload that
// needs a buffer waits for others to end.
func ExampleWithBufferLimit() {
	limit := &storage.BufferLimit{Max: 32 << 20}
	photos := memstore.New(storage.WithBufferLimit(limit))
	videos := memstore.New(storage.WithBufferLimit(limit))
	attrs, err := storage.Copy(context.Background(), videos, "a", photos, "a")
	fmt.Println(attrs, storage.CodeOf(err))
	// Output: <nil> object not found
}

// Give the providers of your program's OpenTelemetry SDK. Without the option, the global
// providers get spans and metrics.
func ExampleWithTelemetry() {
	bucket := memstore.New(storage.WithTelemetry(tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider())) // no telemetry
	_, err := bucket.Attrs(context.Background(), "missing")
	fmt.Println(storage.CodeOf(err))
	// Output: object not found
}
