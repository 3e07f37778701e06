package storage

import (
	"context"
)

// A RestoreOption fits Restore: WithRestoreDays, WithRestoreTier, WithVersion, WithNative.
type RestoreOption interface{ applyRestore(*ChangeOptions) }

type restoreOption func(*ChangeOptions)

func (o restoreOption) applyRestore(r *ChangeOptions) { o(r) }

// WithRestoreDays sets for how many days S3 keeps the restored copy; the default is 1. Below 1
// Restore fails with InvalidArgument. Other providers restore for good, and ignore it.
func WithRestoreDays(days int) RestoreOption {
	return restoreOption(func(r *ChangeOptions) {
		if days < 1 {
			fail(&r.set, "WithRestoreDays", "must be at least 1")
		}
		r.RestoreDays = days
	})
}

// WithRestoreTier sets how fast the object is restored, by the provider's own word: Expedited,
// Standard or Bulk on S3, High or Standard on Azure. The default is Standard.
func WithRestoreTier(tier string) RestoreOption {
	return restoreOption(func(r *ChangeOptions) { r.RestoreTier = tier })
}

// A Restorer is a bucket that restores archived objects: one from [New], or a type of your own, for
// which [Restore] calls this method.
type Restorer interface {
	Restore(ctx context.Context, key string, opts ...RestoreOption) error
}

// Restore asks the store to make an archived object readable, whose read fails with [Archived].
// That takes minutes to hours; [Attrs].Restore tells how far it is. Restoring an object twice, or
// one that can be read already, succeeds. On Azure the object moves to the tier "Hot".
//
// A bucket that is narrowed by [Ref] needs Upload. If there is no object, it fails with
// ObjectNotFound; if the store lacks [Restoring], or the bucket is no [Restorer], with
// Unsupported.
func Restore(ctx context.Context, b Uploader, key string, opts ...RestoreOption) error {
	r, e := need[Restorer](b, "Restore")
	if e != nil {
		return located(b, "Restore", key, e)
	}
	return r.Restore(ctx, key, opts...)
}
