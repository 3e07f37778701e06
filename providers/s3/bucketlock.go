package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A bucketLock says whether a bucket can lock objects, and how new objects are locked.
type bucketLock struct {
	able      bool
	retention storage.DefaultRetention
}

const daysOfAYear = 365 // of a default retention in years

// objectLock reads the settings. Buckets that cannot lock objects have none.
func (b *managed) objectLock(ctx context.Context) (l bucketLock, err error) {
	if !b.account.profile.locks() {
		return l, nil
	}
	out, err := readSetting(
		ctx, b.account.client.GetObjectLockConfiguration, &awss3.GetObjectLockConfigurationInput{Bucket: &b.name},
		"ObjectLockConfigurationNotFoundError",
	)
	if err != nil {
		return l, err
	}
	c := out.ObjectLockConfiguration
	if c == nil || c.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return l, nil
	}
	l.able = true
	if c.Rule != nil && c.Rule.DefaultRetention != nil {
		d := c.Rule.DefaultRetention
		l.retention.Mode = retentionMode(string(d.Mode))
		l.retention.Days = int(aws.ToInt32(d.Days)) + daysOfAYear*int(aws.ToInt32(d.Years))
	}
	return l, nil
}

func (b *managed) readObjectLock(ctx context.Context, info *storage.BucketInfo) error {
	l := bucketLock{info.ObjectLock, info.DefaultRetention}
	err := ifPermitted(&l, b.objectLock, ctx)
	info.ObjectLock, info.DefaultRetention = l.able, l.retention
	return err
}

// setObjectLock enables object lock, if r asks for it, and sets the default retention. It
// reads the settings first: on Amazon a default retention alone would enable object lock, which
// nobody can undo.
func (b *managed) setObjectLock(ctx context.Context, r *driver.BucketRequest) error {
	l, err := b.objectLock(ctx)
	if err != nil {
		return err
	}
	versioned := false // this call may have just enabled versions
	switch {
	case l.able && r.DefaultRetention == nil:
		return nil
	case l.able:
	case !r.ObjectLock && *r.DefaultRetention == storage.DefaultRetention{}:
		return nil
	case !r.ObjectLock:
		return &storage.Error{Code: storage.Unsupported, Hint: lockHint}
	case b.account.profile.ObjectLock != LockAllBuckets:
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "this server gives object lock only to new buckets: create one WithObjectLock",
		}
	default:
		if err := b.setVersioning(ctx, true); err != nil {
			return err
		}
		versioned = true
	}
	c := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	if d := r.DefaultRetention; d != nil && d.Days > 0 {
		c.Rule = &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{
			Mode: types.ObjectLockRetentionMode(lockMode(d.Mode)), Days: days(d.Days),
		}}
	}
	unaware := func(err error) bool { return versioned && isCode(err, "InvalidBucketState") }
	return settle(ctx, unaware, func() error {
		return sendWrite(ctx, b.account.client.PutObjectLockConfiguration, &awss3.PutObjectLockConfigurationInput{
			Bucket: &b.name, ObjectLockConfiguration: c,
		}, b.account.withBodyChecksum()...)
	})
}
