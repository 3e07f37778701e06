package pages

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A daily Core lets browsers keep what is uploaded for a day, unless the upload sets a Cache-Control of its own. It
// passes on all other calls, also those that later versions add.
type daily struct{ storage.Core }

func (d daily) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	return d.Core.Upload(ctx, key, body, forOneDay(o))
}

func (d daily) BeginUpload(
	ctx context.Context, key string, o *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	return d.Core.BeginUpload(ctx, key, forOneDay(o))
}

// forOneDay returns a changed copy, because options belong to the caller.
func forOneDay(o *storage.UploadOptions) *storage.UploadOptions {
	clone := *o
	if clone.Set&storage.CacheControlSet == 0 {
		clone.CacheControl = "max-age=86400"
		clone.Set |= storage.CacheControlSet
	}
	return &clone
}

func keepForOneDay(bucket storage.Bucket) (storage.Bucket, error) {
	return storage.Wrap(bucket, func(c storage.Core) storage.Core { return daily{c} })
}

// audit returns a hook that writes each removal to a journal before it happens. It compares effects, and needs no list
// of names: a signed URL and vended credentials that remove have the effect, too. If the journal fails, nothing is
// removed.
func audit(journal io.Writer) storage.Hook {
	return func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Effects&storage.EffectRemove == 0 {
			return nil, nil, nil
		}
		_, err := fmt.Fprintln(journal, op.Name, op.Key, op.Keys)
		return nil, nil, err
	}
}

// slow returns an option that adds a layer to a bucket. The layer logs each request to the store
// that takes more than a second. A layer sees every request, such as the parts of an upload, the
// pages of a listing, and each retry.
func slow(log *slog.Logger) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			start := time.Now()
			err := next(ctx)
			if took := time.Since(start); took > time.Second {
				log.WarnContext(ctx, "slow request", "call", call, "took", took, "error", err)
			}
			return err
		})
	})
}

// frozen is a hook that denies each operation that can change the bucket.
func frozen(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	const changes = storage.EffectWrite | storage.EffectRemove | storage.EffectAdminister
	if op.Effects&changes != 0 {
		return nil, nil, fmt.Errorf("the bucket is frozen, and %s has the effects %s", op.Name, op.Effects)
	}
	return nil, nil, nil
}
