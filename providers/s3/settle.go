package s3

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// For some minutes after a bucket was created or changed, S3 may refuse the next change with
// OperationAborted or, of a new bucket, with NoSuchBucket
// (https://github.com/hashicorp/terraform-provider-aws/issues/7628). The attempts of the core are
// within a second, so that each of them waits. To create the bucket again would be worse: the name
// of a bucket that was deleted may be refused for an hour (https://github.com/aws/aws-cli/issues/2593).

const (
	settleTime = 30 * time.Second // that one setting may take in one attempt
	unblocking = 30 * time.Second // until a policy may be public, after the block was removed
	firstPause = time.Second      // doubles
	maxPause   = 10 * time.Second
)

// settle repeats a change while its error is pending, for as long as limit.
func settle(ctx context.Context, limit time.Duration, pending func(error) bool, change func() error) error {
	end := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := change()
		if err == nil || !pending(err) || time.Now().Add(pause).After(end) || ctxtime.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// isUnsettled reports whether S3 will probably accept the change later.
func (b *managed) isUnsettled(err error) bool {
	if isCode(err, "OperationAborted") {
		return true
	}
	e := asError(err)
	return b.isNew && (e.Retryable || e.Code == storage.BucketNotFound)
}

// change makes one change of the settings.
func (b *managed) change(ctx context.Context, do func() error) error {
	err := settle(ctx, settleTime, b.isUnsettled, do)
	if !b.isNew || err == nil || !b.isUnsettled(err) || ctx.Err() != nil {
		return err
	}
	return sdkerror.WithCode(err, storage.Unavailable, "the bucket exists, and the store puts its settings off: call UpdateBucket with these options in some minutes")
}
