package pages

import (
	"context"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// migrate is called by every process that starts. It changes the data in one process at a time.
func migrate(ctx context.Context, bucket storage.Bucket, change func(ctx context.Context) error) error {
	return lease.Hold(ctx, bucket, "locks/migration", change)
}

// lead runs leader in one of the processes that call it, until ctx ends. If that process dies,
// another process runs leader.
func lead(ctx context.Context, bucket storage.Bucket, leader func(ctx context.Context) error) error {
	for ctx.Err() == nil {
		err := lease.Hold(ctx, bucket, "leader", leader, lease.WithTTL(15*time.Second))
		if err != nil && ctx.Err() == nil {
			fmt.Println("no leader any more:", err)
			select { // the store may not respond for a while
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return ctx.Err()
}

// store writes a report, unless a later holder of the lease has written one. ctx must be the
// context that Hold passes.
//
// A process that was paused may still believe that it holds the lease. Therefore, the report begins
// with the token of its writer: each holder gets a higher token than the holders before it.
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
			return nil, storage.Changed // this process was paused, and a later holder has written
		}
		return fmt.Appendf(nil, "%d %s", token, report), nil
	})
	return err
}
