package engine_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A driver becomes a bucket, with all that is the same for every store: retries, checks, telemetry. The layer counts
// the requests of the driver.
func ExampleNew() {
	ctx := context.Background()
	requests := map[string]int{}
	counting := driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			requests[call]++
			return next(ctx)
		})
	})
	bucket := engine.New(memstore.NewDriver(memstore.Config{}), counting)
	if _, err := bucket.Upload(ctx, "hello.txt", strings.NewReader("hello")); err != nil {
		log.Fatal(err)
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
	fmt.Printf("%s, %s, %v\n", text, attrs.ContentType, err)
	fmt.Println(requests["Put"], requests["Get"])
	// Output:
	// hello, text/plain; charset=utf-8, <nil>
	// 1 1
}
