package pages

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// publish uploads the files of a directory to site/, and removes objects there that have no file any more.
func publish(ctx context.Context, bucket storage.Bucket, dir string) (*transfer.Report, error) {
	return transfer.Upload(ctx, storage.Prefixed(bucket, "site/"), dir,
		transfer.WithExclude(".git", "*.tmp"),
		transfer.WithDelete(), transfer.WithMaxDelete(100))
}

// backUp copies new and changed objects to a bucket of any other store.
func backUp(ctx context.Context, backup, photos storage.ReadWriter) error {
	report, err := transfer.Sync(ctx, transfer.Bucket(backup), transfer.Bucket(photos))
	fmt.Println(report) // there is a report even after an error
	for _, failure := range report.Failures {
		if !errors.Is(failure.Err, storage.Changed) { // the next run copies a changed object
			fmt.Println(failure.Key, failure.Err)
		}
	}
	return err
}

// cleanUp removes temporary files after a week, and multipart uploads after three days. It runs once a day until ctx is
// done, in one of the processes that call it.
func cleanUp(ctx context.Context, bucket storage.Bucket, options ...transfer.EveryOption) error {
	job := func(ctx context.Context) error {
		_, err := transfer.Expire(ctx, bucket, []transfer.ExpireRule{
			{Prefix: "temp/", Age: 7 * 24 * time.Hour},
			{UploadsAge: 3 * 24 * time.Hour},
		})
		return err
	}
	options = append(options, transfer.WithLease(bucket, "jobs/clean-up.lease"))
	return transfer.Every(ctx, 24*time.Hour, job, options...)
}

// undo restores all objects to their content at a time in the past. The bucket must keep versions.
func undo(ctx context.Context, bucket storage.Bucket, t time.Time) (*transfer.Report, error) {
	return transfer.RestoreAt(ctx, bucket, t, transfer.WithDelete())
}

// cleanUpListed removes objects that are older than a year from the bucket photos. The bucket may
// have any number of objects. An inventory, which is a list of the objects, is stored in a second
// bucket. manifest is the key of the inventory's manifest.
func cleanUpListed(ctx context.Context, photos, reports storage.Bucket, manifest string) (*transfer.Report, error) {
	inventory, err := transfer.OpenInventory(ctx, photos, reports, manifest, nil)
	if err != nil {
		return nil, err
	}
	rule := transfer.ExpireRule{Age: 365 * 24 * time.Hour}
	return transfer.Expire(ctx, photos, []transfer.ExpireRule{rule}, transfer.WithInventory(inventory))
}
