package files

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/storeclock"
)

// ClearTemp removes temp files whose record is older than olderThan by the store's
// clock. It also removes uploads of temp files in parts that were idle for
// Config.PartsTTL. It returns how many files it removed; the error joins all
// failures. If olderThan is negative, it fails with InvalidValue.
func (s *Store) ClearTemp(ctx context.Context, olderThan time.Duration) (int, error) {
	if olderThan < 0 {
		return 0, invalid("", "An age must not be negative.")
	}
	now, err := storeclock.Now(ctx, s.bucket, clockKey)
	if err != nil {
		return 0, toError(err)
	}
	w := &sweep{store: s, kind: s.temp, report: &SweepReport{}, now: now}
	removed, err := w.clear(ctx, olderThan)
	return removed, toError(errors.Join(err, w.uploads(ctx)))
}

// clearBatch is how many files are removed before the listing continues.
const clearBatch = 100

// clear removes files by the age of their records, which are in the bucket.
func (w *sweep) clear(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	var errs []error
	var batch []string
	flush := func() bool {
		for _, err := range parallel.All(len(batch), removeConcurrency, func(i int) error { return w.store.remove(ctx, w.kind, batch[i]) }) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			removed++
		}
		batch = batch[:0]
		return len(errs) < maxFailures
	}
	records := w.kind.records.(bucketRecords)
	for entry, err := range w.store.bucket.List(ctx, storage.WithPrefix(records.prefix)) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		id, ours := records.id(entry.Key)
		if !ours || w.now.Sub(entry.Modified) < olderThan {
			continue
		}
		if batch = append(batch, id); len(batch) == clearBatch && !flush() {
			break
		}
	}
	flush()
	return removed, errors.Join(errs...)
}
