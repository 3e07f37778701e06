package bucketsettings

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// After a bucket was created or changed, S3 may refuse the next change for some minutes. The error
// is OperationAborted or, for a new bucket, NoSuchBucket
// (https://github.com/hashicorp/terraform-provider-aws/issues/7628). The engine repeats a call within
// a second, which is too early. The driver therefore waits here. It does not delete the bucket and
// create it again, because S3 may refuse the name of a deleted bucket for an hour
// (https://github.com/aws/aws-cli/issues/2593).
const (
	settleTime = 30 * time.Second // longest wait for one change
	firstPause = time.Second      // each further pause is twice as long, up to maxPause
	maxPause   = 10 * time.Second
)

// retryPending repeats a change while it fails with an error for which isPending returns true, but
// for no longer than settleTime.
func retryPending(ctx context.Context, isPending func(error) bool, change func() error) error {
	end := time.Now().Add(settleTime)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := change()
		if err == nil || !isPending(err) {
			return err
		}
		isTooLate := time.Now().Add(pause).After(end)
		if isTooLate || running.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// isUnsettled reports whether S3 refuses a change only for now, because an earlier change of the
// bucket is still in progress or the bucket is new.
func (b *Bucket) isUnsettled(err error) bool {
	if s3error.IsCode(err, "OperationAborted") {
		return true
	}
	storageErr := s3error.Of(err)
	return b.IsNew && (storageErr.Retryable || storageErr.Code == storage.BucketNotFound)
}

// applyChange makes a change of the settings, and repeats it while S3 refuses it only for now, because the
// bucket is new or an earlier change is in progress.
func (b *Bucket) applyChange(ctx context.Context, change func() error) error {
	err := retryPending(ctx, b.isUnsettled, change)

	// A new bucket must not seem to be missing if its settings take too long.
	isTooSlow := b.IsNew && err != nil && b.isUnsettled(err) && ctx.Err() == nil
	if !isTooSlow {
		return err
	}
	return sdkerror.WithCode(
		err, storage.Unavailable,
		"the bucket exists, and the store puts its settings off: call UpdateBucket with these options in some minutes",
	)
}
