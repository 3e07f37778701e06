package overlay_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

// A program changes to another store while it runs: it writes to the new one, and reads from both.
func Example() {
	ctx := context.Background()
	old := memstore.New()
	if _, err := old.Upload(ctx, "a.txt", strings.NewReader("of old")); err != nil {
		log.Fatal(err)
	}
	layer, err := overlay.New(old, overlay.Config{})
	if err != nil {
		log.Fatal(err)
	}
	bucket := memstore.New(driver.WithLayer(layer)) // the new store
	if _, err := bucket.Upload(ctx, "b.txt", strings.NewReader("of now")); err != nil {
		log.Fatal(err)
	}
	for entry, err := range bucket.List(ctx) {
		fmt.Println(entry.Key, err)
	}

	report, err := overlay.Finish(ctx, bucket, overlay.FinishConfig{})
	fmt.Println(report.Copied, report.Left, err)
	text, _, err := storage.ReadAll(ctx, bucket, "a.txt")
	fmt.Printf("%s, %v\n", text, err)
	// Output:
	// a.txt <nil>
	// b.txt <nil>
	// 1 0 <nil>
	// of old, <nil>
}
