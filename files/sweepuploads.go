package files

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// uploads removes uploads in parts that were left alone for ttl: the parts first,
// and then what says that they are complete.
func (w *sweep) uploads(ctx context.Context, ttl time.Duration) error {
	var errs []error
	upload, newest := "", time.Time{}
	end := func() {
		if upload == "" || w.now.Sub(newest) < ttl {
			return
		}
		for _, prefix := range []string{upload + partsUnder, upload} {
			if _, err := storage.RemoveMatching(ctx, w.bucket, nil, storage.WithPrefix(prefix)); err != nil {
				errs = append(errs, err)
				return
			}
		}
		w.report.Uploads++
	}
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(w.parts)) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if of := w.uploadOf(entry.Key); of != upload {
			end()
			if len(errs) >= maxFailures {
				return errors.Join(errs...)
			}
			upload, newest = of, time.Time{}
		}
		if entry.Modified.After(newest) {
			newest = entry.Modified
		}
	}
	end()
	return errors.Join(errs...)
}
