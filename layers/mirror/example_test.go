package mirror_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
)

// Each write is in two stores, which may be of two providers.
func Example() {
	ctx := context.Background()
	second := memstore.New()
	layer, err := mirror.New(second, mirror.Config{Sync: true})
	if err != nil {
		log.Fatal(err)
	}
	bucket := memstore.New(driver.WithLayer(layer)) // the primary store
	if _, err := bucket.Upload(ctx, "hello.txt", strings.NewReader("hello")); err != nil {
		log.Fatal(err)
	}
	text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
	fmt.Printf("%s, from the second store: %t, %v\n", text, mirror.FailedOver(attrs), err)
	text, _, err = storage.ReadAll(ctx, second, "hello.txt")
	fmt.Printf("%s, %v\n", text, err)

	report, err := mirror.Repair(ctx, bucket) // a schedule calls it every few minutes
	fmt.Println(report.Failed, err)
	// Output:
	// hello, from the second store: false, <nil>
	// hello, <nil>
	// 0 <nil>
}
