package memstore_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func Example() {
	ctx := context.Background()
	bucket := memstore.New()
	if _, err := bucket.Upload(ctx, "reports/1.txt", strings.NewReader("all is well")); err != nil {
		fmt.Println(err)
		return
	}
	report, attrs, err := storage.ReadAll(ctx, bucket, "reports/1.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s (%s)\n", report, attrs.ContentType)
	// Output: all is well (text/plain; charset=utf-8)
}
