package files

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// A SweepReport counts what Sweep removed.
type SweepReport struct {
	Bytes   int // objects without a record
	Records int // records without bytes
	Uploads int // uploads in parts that nobody went on with, and what is left of completed ones
}

// Sweep repairs what crashes have left: it removes bytes without a record that
// are older than Config.Grace, records whose bytes are gone, and uploads in parts
// that were left alone for Config.PartsTTL, of client files and temp files
// alike. It harms nothing that is under way, and reads every key and every
// record's ID, in pages. Run it on a schedule, such as once a day.
//
// The error joins what failed; the report counts what was done nevertheless.
// Where there are more than ten records and no bytes at all, or more than ten
// files' bytes and no record at all, it removes neither and says so
// (storage.PreconditionFailed beneath): the store was most likely opened with the
// wrong bucket or the wrong database.
func (s *Store) Sweep(ctx context.Context) (*SweepReport, error) {
	report := &SweepReport{}
	now, err := s.storeTime(ctx)
	if err != nil {
		return report, failed(err)
	}
	var errs []error
	for _, k := range []kind{s.client, s.temp} {
		w := &sweep{Store: s, kind: k, report: report, now: now}
		if err = w.plausible(ctx); err == nil {
			err = w.files(ctx)
		}
		errs = append(errs, err, w.uploads(ctx, s.config.PartsTTL))
	}
	return report, failed(errors.Join(errs...))
}

// maxFailures are how many failures one pass collects before it ends.
const maxFailures = 100

// A sweep is one pass over the files of one kind.
type sweep struct {
	*Store
	kind
	report *SweepReport
	now    time.Time // by the store's clock
	errs   []error
}

// files walks keys and IDs, which are in one order, side by side. What stands on
// one side alone is looked at again before it is removed: the two walks are not of
// one moment.
func (w *sweep) files(ctx context.Context) error {
	ids := &idWalk{records: w.records}
	id, more := ids.next(ctx)
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(w.bytes)) {
		if err != nil {
			return errors.Join(append(w.errs, err)...)
		}
		of, ours := w.id(entry.Key)
		if !ours {
			continue
		}
		for ; more && id < of && !w.hopeless(); id, more = ids.next(ctx) {
			w.note(w.recordAlone(ctx, id))
		}
		if ids.err != nil || w.hopeless() {
			break // what else has a record is not known
		}
		if more && id == of {
			id, more = ids.next(ctx)
			continue
		}
		w.note(w.bytesAlone(ctx, of, &entry))
	}
	for ; more && !w.hopeless(); id, more = ids.next(ctx) {
		w.note(w.recordAlone(ctx, id))
	}
	w.note(ids.err)
	return errors.Join(w.errs...)
}

func (w *sweep) note(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// hopeless ends what goes on past failures, so that memory is bounded.
func (w *sweep) hopeless() bool { return len(w.errs) >= maxFailures }

func (w *sweep) bytesAlone(ctx context.Context, id string, entry *storage.ListEntry) error {
	if w.now.Sub(entry.Modified) < w.config.Grace {
		return nil
	}
	switch _, err := w.records.Record(ctx, id); {
	case err == nil:
		return nil
	case storage.CodeOf(err) != storage.ObjectNotFound:
		return err
	}
	if err := w.bucket.Remove(ctx, entry.Key); err != nil {
		return err
	}
	w.report.Bytes++
	return nil
}

func (w *sweep) recordAlone(ctx context.Context, id string) error {
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

// alonePlausible is how many files one side may have while the other has none.
const alonePlausible = 10

// plausible refuses to take one side of a store for the leftovers of the other.
// Temp files and their records are in one bucket.
func (w *sweep) plausible(ctx context.Context) error {
	if w.bytes == w.temp.bytes {
		return nil
	}
	ids, _, err := w.records.IDs(ctx, "", alonePlausible+1)
	if err != nil {
		return err
	}
	all, old := 0, 0 // young bytes may have no record yet
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(w.bytes), storage.WithLimit(alonePlausible+1)) {
		if err != nil {
			return err
		}
		if _, ours := w.id(entry.Key); ours {
			all++
			if w.now.Sub(entry.Modified) >= w.config.Grace {
				old++
			}
		}
	}
	if (all > 0 || len(ids) <= alonePlausible) && (len(ids) > 0 || old <= alonePlausible) {
		return nil
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "Sweep", Key: w.bytes,
		Err:  errors.New("there are " + strconv.Itoa(len(ids)) + " or more records and " + strconv.Itoa(all) + " or more files"),
		Hint: "look whether the store was opened with its own bucket and its own records",
	}
}

// An idWalk gives the IDs of all records, one after the other, a page at a time.
type idWalk struct {
	records Records
	page    []string
	after   string
	last    bool  // there is no page behind this one
	err     error // why it ended, where that is not the end
}

func (w *idWalk) next(ctx context.Context) (string, bool) {
	for len(w.page) == 0 {
		if w.last {
			return "", false
		}
		w.page, w.after, w.err = w.records.IDs(ctx, w.after, maxPage)
		w.last = w.err != nil || w.after == ""
	}
	id := w.page[0]
	w.page = w.page[1:]
	return id, true
}
