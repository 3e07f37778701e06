package files

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/storeclock"
)

// A SweepReport counts what [Store.Sweep] removed.
type SweepReport struct {
	Bytes   int // objects without a record
	Records int // records without bytes
	Uploads int // expired uploads in parts, and leftovers of completed ones
}

// A SweepOption changes what [Store.Sweep] does.
type SweepOption interface{ applySweep(*sweep) }

type withoutOrphanLimit struct{}

func (withoutOrphanLimit) applySweep(w *sweep) { w.noOrphanLimit = true }

// WithoutOrphanLimit makes [Store.Sweep] remove orphans however many there are. Use
// it after Sweep has refused and you have checked the store.
func WithoutOrphanLimit() SweepOption { return withoutOrphanLimit{} }

// Sweep repairs what crashes have left. It removes bytes without a record that are
// older than Config.Grace, records without bytes, and uploads in parts that were idle
// for Config.PartsTTL, of client files and temp files alike. It does not affect
// operations in progress. It reads every key and every record's ID, in pages. Run it
// on a schedule, such as once a day. One run removes at most 10,000 files.
//
// The error joins all failures. The report counts what was removed nevertheless.
//
// A store that was opened with the wrong bucket or database seems to consist of
// orphans. If more than ten client files have no record, or more than ten records
// have no bytes, and these are more than a tenth of all, Sweep removes neither. It
// then returns the numbers in an error that wraps [storage.PreconditionFailed].
// [WithoutOrphanLimit] removes them nevertheless. Sweep cannot detect a bucket and a
// database that differ only a little: a database that was restored from a backup
// lacks the latest files. Restore those before you sweep.
func (s *Store) Sweep(ctx context.Context, opts ...SweepOption) (*SweepReport, error) {
	report := &SweepReport{}
	now, err := storeclock.Now(ctx, s.bucket, clockKey)
	if err != nil {
		return report, toError(err)
	}
	var errs []error
	for _, k := range []kind{s.client, s.temp} {
		w := &sweep{store: s, kind: k, report: report, now: now}
		for _, o := range opts {
			if o != nil {
				o.applySweep(w)
			}
		}
		// Uploads first, because an expired upload leaves bytes without a record.
		errs = append(errs, w.uploads(ctx), w.files(ctx))
	}
	return report, toError(errors.Join(errs...))
}

// clockKey is an object that is written to read the store's time.
const clockKey = "files/clock"

// maxFailures is how many failures one pass collects before it stops.
const maxFailures = 100

// A sweep is one pass over the files of one kind.
type sweep struct {
	store         *Store
	kind          kind
	noOrphanLimit bool
	report        *SweepReport
	now           time.Time // by the store's clock
	errs          []error
}

// uploads removes uploads in parts that are idle, and content that waited for inspection.
func (w *sweep) uploads(ctx context.Context) error {
	removed, err := w.kind.uploads.Sweep(ctx)
	w.report.Uploads += removed
	return err
}

// files removes orphans. It checks each again before, because keys and IDs were not
// listed at the same moment.
func (w *sweep) files(ctx context.Context) error {
	found, err := w.findOrphans(ctx)
	if err != nil {
		return err
	}
	if err := w.checkLimit(found); err != nil {
		return err
	}
	for _, entry := range found.bytes.found {
		if !w.failedTooOften() {
			w.addError(w.removeOrphanBytes(ctx, entry))
		}
	}
	for _, id := range found.records.found {
		if !w.failedTooOften() {
			w.addError(w.removeOrphanRecord(ctx, id))
		}
	}
	return errors.Join(w.errs...)
}

func (w *sweep) addError(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// failedTooOften stops a pass with many failures, so that memory is bounded.
func (w *sweep) failedTooOften() bool { return len(w.errs) >= maxFailures }

func (w *sweep) removeOrphanBytes(ctx context.Context, entry orphan) error {
	switch _, err := w.kind.records.Record(ctx, entry.id); {
	case err == nil:
		return nil
	case storage.CodeOf(err) != storage.ObjectNotFound:
		return err
	}
	if err := w.store.bucket.Remove(ctx, entry.key); err != nil {
		return err
	}
	w.report.Bytes++
	return nil
}

func (w *sweep) removeOrphanRecord(ctx context.Context, id string) error {
	r, err := w.kind.records.Record(ctx, id)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if there, err := w.store.hasBytes(ctx, w.kind, r); err != nil || there {
		return err
	}
	if err := w.kind.records.Remove(ctx, id); err != nil {
		return err
	}
	w.report.Records++
	return nil
}
