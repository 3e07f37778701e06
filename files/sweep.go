package files

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// A SweepReport counts what Sweep removed.
type SweepReport struct {
	Bytes   int // objects without a record
	Records int // records without bytes
	Uploads int // uploads in parts that nobody went on with, and what is left of completed ones
}

// A SweepOption changes what Sweep does.
type SweepOption interface{ applySweep(*sweep) }

type withoutOrphanLimit struct{}

func (withoutOrphanLimit) applySweep(w *sweep) { w.noOrphanLimit = true }

// AnyShare has Sweep remove what stands alone however much of the store it is: for
// whom Sweep has refused, and who has looked why.
func WithoutOrphanLimit() SweepOption { return withoutOrphanLimit{} }

// Sweep repairs what crashes have left: it removes bytes without a record that
// are older than Config.Grace, records whose bytes are gone, and uploads in parts
// that were left alone for Config.PartsTTL, of client files and temp files
// alike. It harms nothing that is under way, and reads every key and every
// record's ID, in pages. Run it on a schedule, such as once a day. What is more
// than 10,000 files waits for the next time.
//
// The error joins what failed; the report counts what was done nevertheless.
//
// A store that was opened with the wrong bucket or the wrong database looks like
// one of leftovers alone. Where more than ten client files have no record, or more
// than ten records no bytes, and these are more than a tenth of all that there
// are, Sweep removes neither bytes nor records and says so, with the numbers
// (storage.PreconditionFailed beneath); AnyShare has it do so nevertheless. It
// does not tell bucket and database apart that are nearly of one store: a database
// restored from a backup does not know the files since. Do not sweep before they
// were looked for.
func (s *Store) Sweep(ctx context.Context, opts ...SweepOption) (*SweepReport, error) {
	report := &SweepReport{}
	now, err := s.storeTime(ctx)
	if err != nil {
		return report, toError(err)
	}
	var errs []error
	for _, k := range []kind{s.client, s.temp} {
		w := &sweep{Store: s, kind: k, report: report, now: now}
		for _, o := range opts {
			if o != nil {
				o.applySweep(w)
			}
		}
		// Uploads first: what one that is given up has left is bytes without a record.
		errs = append(errs, w.uploads(ctx, s.config.PartsTTL), w.files(ctx))
	}
	return report, toError(errors.Join(errs...))
}

// maxFailures are how many failures one pass collects before it ends.
const maxFailures = 100

// A sweep is one pass over the files of one kind.
type sweep struct {
	*Store
	kind
	noOrphanLimit bool
	report        *SweepReport
	now           time.Time // by the store's clock
	errs          []error
}

// files removes what stands alone. It is looked at again before: the walks over
// keys and IDs are not of one moment.
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

// hopeless ends what goes on past failures, so that memory is bounded.
func (w *sweep) failedTooOften() bool { return len(w.errs) >= maxFailures }

func (w *sweep) removeOrphanBytes(ctx context.Context, entry orphan) error {
	switch _, err := w.records.Record(ctx, entry.id); {
	case err == nil:
		return nil
	case storage.CodeOf(err) != storage.ObjectNotFound:
		return err
	}
	if err := w.bucket.Remove(ctx, entry.key); err != nil {
		return err
	}
	w.report.Bytes++
	return nil
}

func (w *sweep) removeOrphanRecord(ctx context.Context, id string) error {
	r, err := w.records.Record(ctx, id)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if there, err := w.hasBytes(ctx, w.kind, r); err != nil || there {
		return err
	}
	if err := w.records.Remove(ctx, id); err != nil {
		return err
	}
	w.report.Records++
	return nil
}
