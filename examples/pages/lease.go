package pages

import (
	"context"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// migrate runs in every process that starts, and changes the data in one of them at a time.
func migrate(ctx context.Context, bucket storage.Bucket, change func(ctx context.Context) error) error {
	return lease.Hold(ctx, bucket, "locks/migration", change)
}

// lead runs in every process. One of them is the leader until ctx ends or it dies; then another one is.
func lead(ctx context.Context, bucket storage.Bucket, leader func(ctx context.Context) error) error {
	for ctx.Err() == nil {
		err := lease.Hold(ctx, bucket, "leader", leader, lease.WithTTL(15*time.Second))
		if err != nil && ctx.Err() == nil {
			fmt.Println("no leader any more:", err)
			select { // the store may be gone for a while
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return ctx.Err()
}

// store writes a report, with the ctx of Hold, only if no later holder has written one. The bucket is what
// the lease protects: the object keeps the highest token.
func store(ctx context.Context, bucket storage.Bucket, report string) error {
	token := lease.FromContext(ctx).Token()
	_, err := storage.Update(ctx, bucket, "report", func(old []byte, _ *storage.Attrs) ([]byte, error) {
		var highest int64
		if old != nil {
			if _, err := fmt.Sscan(string(old), &highest); err != nil {
				return nil, err
			}
		}
		if token < highest {
			return nil, storage.Changed // a later holder has written: this one was paused
		}
		return fmt.Appendf(nil, "%d %s", token, report), nil
	})
	return err
}
