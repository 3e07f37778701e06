package bucketsettings

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// A bucketLock has a bucket's settings for object lock: whether it can lock objects (isAvailable),
// and how it locks new ones.
type bucketLock struct {
	isAvailable bool
	retention   storage.DefaultRetention
}

const daysOfAYear = 365 // days per year of a default retention

// objectLock reads the object lock settings of the bucket. The result is zero if the bucket cannot
// lock objects.
func (b *Bucket) objectLock(ctx context.Context) (l bucketLock, err error) {
	if !b.HasLocks {
		return l, nil
	}
	output, err := readSetting(
		ctx, b.Client.GetObjectLockConfiguration, &awss3.GetObjectLockConfigurationInput{Bucket: &b.Name},
		"ObjectLockConfigurationNotFoundError",
	)
	if err != nil {
		return l, err
	}

	// A missing part of the response means that the bucket has no such setting.
	c := output.ObjectLockConfiguration
	if c == nil || c.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return l, nil
	}
	l.isAvailable = true
	if c.Rule != nil && c.Rule.DefaultRetention != nil {
		d := c.Rule.DefaultRetention
		l.retention.Mode = attributes.RetentionMode(string(d.Mode))
		l.retention.Days = int(aws.ToInt32(d.Days)) + daysOfAYear*int(aws.ToInt32(d.Years))
	}
	return l, nil
}

// readObjectLock sets the fields of info that are about object lock.
func (b *Bucket) readObjectLock(ctx context.Context, info *storage.BucketInfo) error {
	l, err := b.objectLock(ctx)
	if err != nil {
		return err
	}
	info.ObjectLock = l.isAvailable
	info.DefaultRetention = l.retention
	return nil
}

// setObjectLock enables object lock if r asks for it, and sets the default retention. It first
// reads whether the bucket has object lock, because on Amazon a default retention would also enable
// it, which nobody can undo.
func (b *Bucket) setObjectLock(ctx context.Context, r *driver.BucketRequest) error {
	l, err := b.objectLock(ctx)
	if err != nil {
		return err
	}
	if l.isAvailable {
		if r.DefaultRetention == nil {
			return nil
		}
	} else {
		endsRetention := r.DefaultRetention != nil && *r.DefaultRetention == storage.DefaultRetention{}
		if endsRetention && !r.ObjectLock {
			// A bucket without object lock has no default retention.
			return nil
		}
		if err := b.prepareObjectLock(ctx, r); err != nil {
			return err
		}
	}

	// Set the default retention, or only enable object lock.
	c := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	if d := r.DefaultRetention; d != nil && d.Days > 0 {
		c.Rule = &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{
			Mode: types.ObjectLockRetentionMode(attributes.LockMode(d.Mode)),
			Days: days(d.Days),
		}}
	}

	// After prepareObjectLock, S3 may not see at once that the bucket has versions.
	isPending := func(err error) bool {
		return !l.isAvailable && s3error.IsCode(err, "InvalidBucketState")
	}
	return retryPending(ctx, isPending, func() error {
		return sdkcall.Exec(ctx, b.Client.PutObjectLockConfiguration, &awss3.PutObjectLockConfigurationInput{
			Bucket:                  &b.Name,
			ObjectLockConfiguration: c,
		}, b.BodyChecksum...)
	})
}

// prepareObjectLock enables versions, which object lock needs, in an existing bucket without object lock.
// It fails with Unsupported if r does not request object lock, or if only new buckets can have it.
func (b *Bucket) prepareObjectLock(ctx context.Context, r *driver.BucketRequest) error {
	if !r.ObjectLock {
		return &storage.Error{Code: storage.Unsupported, Hint: s3error.LockHint}
	}
	if !b.LocksOldBuckets {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "this server gives object lock only to new buckets: create one WithObjectLock",
		}
	}
	return b.setVersioning(ctx, true)
}
