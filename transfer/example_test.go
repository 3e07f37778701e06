package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

func ExampleUpload() {
	ctx := context.Background()
	bucket := memstore.New()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		_ = os.RemoveAll(dir)
	}()
	for name, text := range map[string]string{"index.html": "<p>", "draft.tmp": "…"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}

	report, err := transfer.Upload(ctx, storage.Prefixed(bucket, "site/"), dir,
		transfer.WithExclude("*.tmp"),
		transfer.WithRule(func(key string) []storage.WriteOption {
			if strings.HasSuffix(key, ".html") {
				return []storage.WriteOption{storage.WithCacheControl("no-cache")}
			}
			return []storage.WriteOption{storage.WithCacheControl("max-age=31536000")}
		}))
	fmt.Println(report.Transferred, report.Bytes, err)
	attrs, err := bucket.Attrs(ctx, "site/index.html")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(attrs.CacheControl)
	// Output:
	// 1 3 <nil>
	// no-cache
}

// A failure does not end a job. At the end, the job returns one error that joins all failures.
func ExampleReport() {
	ctx := context.Background()
	src := memstore.New()
	dst := memstore.New()
	for _, key := range []string{"a", "b"} {
		if _, err := src.Upload(ctx, key, strings.NewReader(key)); err != nil {
			fmt.Println(err)
			return
		}
	}
	report, err := transfer.Copy(ctx, dst, src, transfer.WithDryRun())
	if errors.Is(err, storage.PermissionDenied) {
		fmt.Println("the credentials are wrong")
	}
	for _, f := range report.Failures {
		fmt.Println(f.Key, storage.CodeOf(f.Err))
	}
	fmt.Println(report.Transferred, "would be copied")
	// Output: 2 would be copied
}

// Several processes may run this program. Once a day, one of them removes the temporary files that
// are older than a week.
func ExampleEvery() {
	bucket := memstore.New()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := transfer.Every(ctx, 24*time.Hour, func(ctx context.Context) error {
		report, err := transfer.Expire(ctx, bucket, []transfer.ExpireRule{{Prefix: "temp/", Age: 7 * 24 * time.Hour}})
		fmt.Println(report.Deleted, "removed")
		cancel() // an example ends
		return err
	}, transfer.WithLease(bucket, "jobs/clean-up.lease"), transfer.WithJitter(time.Millisecond))
	fmt.Println(storage.CodeOf(err))
	// Output:
	// 0 removed
	// canceled
}

func ExampleCompare() {
	ctx := context.Background()
	photos := memstore.New()
	backup := memstore.New()
	for key, text := range map[string]string{"a.jpg": "a", "b.jpg": "b"} {
		if _, err := photos.Upload(ctx, key, strings.NewReader(text)); err != nil {
			fmt.Println(err)
		}
	}
	if _, err := backup.Upload(ctx, "a.jpg", strings.NewReader("x")); err != nil {
		fmt.Println(err)
	}
	result, err := transfer.Compare(ctx, transfer.Bucket(photos), transfer.Bucket(backup), func(d transfer.Difference) {
		fmt.Println(d.Kind, d.Key)
	}, transfer.WithChecksum(), transfer.WithConcurrency(1))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(result.Equal())
	// Unordered output:
	// only first b.jpg
	// different a.jpg
	// false
}
