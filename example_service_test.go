package storage_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// An account creates, lists and deletes buckets. The address of a real one is s3://?region=…,
// gs://?project=…, azblob://?account=… or file:///var/buckets, for storage.OpenService.
func ExampleService() {
	ctx := context.Background()
	account := memstore.NewService(memstore.ServiceConfig{})
	defer account.Close()
	if _, err := account.CreateBucket(ctx, "photos", storage.WithVersioning(true)); err != nil {
		fmt.Println(err)
		return
	}
	bucket, err := account.Bucket("photos")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := bucket.Upload(ctx, "cat.jpg", strings.NewReader("…")); err != nil {
		fmt.Println(err)
		return
	}
	for info, err := range account.Buckets(ctx) {
		fmt.Println(info.Name, err)
	}
	fmt.Println(storage.CodeOf(account.DeleteBucket(ctx, "photos")))
	// Output:
	// photos <nil>
	// bucket not empty
}
