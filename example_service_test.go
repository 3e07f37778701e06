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

// An account changes the settings of a bucket. WithLifecycle and WithCORS replace all rules. To add a rule, pass it
// together with the rules that BucketInfo returns.
func ExampleService_UpdateBucket() {
	ctx := context.Background()
	account := memstore.NewService(memstore.ServiceConfig{})
	defer account.Close()
	old := storage.LifecycleRule{ID: "old-logs", Prefix: "logs/", ExpireAfterDays: 90}
	if _, err := account.CreateBucket(ctx, "photos", storage.WithLifecycle(old)); err != nil {
		fmt.Println(err)
		return
	}

	info, err := account.BucketInfo(ctx, "photos")
	if err != nil { // with PermissionDenied, the rules may be unknown: see info.Unread
		fmt.Println(err)
		return
	}
	rule := storage.LifecycleRule{ID: "drafts", Prefix: "tmp/", ExpireAfterDays: 7}
	page := storage.CORSRule{Origins: []string{"https://example.com"}, Methods: []string{"GET", "PUT"}}
	info, err = account.UpdateBucket(
		ctx, "photos",
		storage.WithLifecycle(append(info.Lifecycle, rule)...),
		storage.WithCORS(page),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rule := range info.Lifecycle {
		fmt.Println(rule.ID, rule.Prefix, rule.ExpireAfterDays)
	}
	fmt.Println(info.CORS[0].Origins)
	// Output:
	// old-logs logs/ 90
	// drafts tmp/ 7
	// [https://example.com]
}
