package distribution_test

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage/adapters/distribution"
	"github.com/omnibucket/storage/memstore"
)

func ExampleNew() {
	ctx := context.Background()
	bucket := memstore.New() // production: storage.Open(ctx, "s3://…")
	d, err := distribution.New(bucket)
	if err != nil {
		panic(err)
	}
	// A registry calls this with the layers that it receives.
	w, err := d.Writer(ctx, "/docker/registry/v2/blobs/data", false)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write([]byte("layer")); err != nil {
		panic(err)
	}
	if err := w.Commit(ctx); err != nil {
		panic(err)
	}
	content, err := d.GetContent(ctx, "/docker/registry/v2/blobs/data")
	fmt.Printf("%s %v\n", content, err)
	// Output:
	// layer <nil>
}
