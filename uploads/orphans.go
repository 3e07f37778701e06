package uploads

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A sweep fails if it finds more than maxOrphans orphans, and if these are more than 1/orphanShare
// of all objects or of all records. The bucket or the records then probably belong to another
// service.
const (
	maxOrphans  = 10
	orphanShare = 10
	// maxRemembered limits the number of orphans that one sweep removes, because it keeps them in
	// memory.
	maxRemembered = 10_000
)

// A tally counts orphans of one kind. An orphan is either an object without a record, or a record
// without an object. total counts all objects or all records.
type tally struct {
	total, orphaned int
	keys            map[string]bool // keys or IDs of the first orphans, at most maxRemembered
}

// addOrphan counts an orphan, and remembers its key or ID unless there are too many.
func (t *tally) addOrphan(key string) {
	t.orphaned++
	if len(t.keys) < maxRemembered {
		t.keys[key] = true
	}
}

// withinLimit reports whether so many orphans are plausible.
func (t *tally) withinLimit() bool {
	return t.orphaned <= max(maxOrphans, t.total/orphanShare)
}

// orphans has the bytes that lack a record, and the records that lack bytes.
type orphans struct{ bytes, records tally }

const (
	expiredAtOnce     = 100
	removeConcurrency = 8
)

// removeExpired removes expired files, page by page. It stops after a page with a failure, because the next
// page would begin with the same files.
func (w *sweeper) removeExpired(ctx context.Context) error {
	for {
		files, err := w.setup.config.Records.Expired(ctx, w.now, expiredAtOnce)
		if err != nil || len(files) == 0 {
			return err
		}

		// Remove the files of the page concurrently.
		results := running.All(len(files), removeConcurrency, func(i int) error {
			return w.files.removeCounted(ctx, files[i])
		})
		removed := 0
		var failures []error
		for i, err := range results {
			switch err {
			case nil:
				removed++
			case errKept:
				// The file has become permanent.
			default:
				failures = append(failures, fmt.Errorf("file %s: %w", files[i].ID, err))
			}
		}
		w.report.Expired += removed

		// After a page on which nothing was removed, the next one would be the same.
		if len(failures) > 0 || removed == 0 {
			return errors.Join(failures...)
		}
	}
}

// removeOrphans removes bytes without records, and records without bytes. It checks each one again
// before it removes it, because keys and IDs were not listed at the same time.
func (w *sweeper) removeOrphans(ctx context.Context) error {
	o, err := w.findOrphans(ctx)
	if err != nil {
		return err
	}
	if err := w.checkLimit(o); err != nil {
		return err
	}

	// After too many failures, leave the rest to the next Sweep.
	for key := range o.bytes.keys {
		if len(w.errs) < maxFailures {
			w.add(w.removeOrphanBytes(ctx, key))
		}
	}
	for id := range o.records.keys {
		if len(w.errs) < maxFailures {
			w.add(w.removeOrphanRecord(ctx, id))
		}
	}
	return nil
}

// removeOrphanBytes removes the object with this key, and counts it, if it still has no record.
func (w *sweeper) removeOrphanBytes(ctx context.Context, key string) error {
	_, err := w.setup.config.Records.Record(ctx, w.setup.pattern.ID(key))
	if err == nil {
		return nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}
	if err := w.files.removeBytes(ctx, key); err != nil {
		return err
	}
	w.report.Bytes++
	return nil
}

// removeOrphanRecord removes a record if it still has no object.
func (w *sweeper) removeOrphanRecord(ctx context.Context, id string) error {
	_, removed, err := w.files.recordWithBytes(ctx, id)
	if removed {
		w.report.Records++
	}
	return err
}

// findOrphans finds objects without a record, unless they are younger than Config.Grace, and records
// without an object. It merges the two lists, which are both sorted by ID.
func (w *sweeper) findOrphans(ctx context.Context) (*orphans, error) {
	o := &orphans{
		bytes:   tally{keys: map[string]bool{}},
		records: tally{keys: map[string]bool{}},
	}

	// The cursor records goes through the IDs of the records, and counts them in o.records.
	records, stop := newIDCursor(allIDs(ctx, w.setup.config.Records), &o.records)
	defer stop()

	// The keys of a bucket are sorted, so the IDs in them are, too: New requires such a pattern for records.
	pattern := w.setup.pattern
	prefix, _ := pattern.Ordered()
	for entry, err := range w.keeper.Bucket.List(ctx, storage.WithPrefix(prefix)) {
		if err != nil {
			return nil, err
		}

		// Leave out an object whose key does not have the pattern.
		fileID := pattern.ID(entry.Key)
		if fileID == "" {
			continue
		}

		hasRecord := records.advanceTo(fileID)
		if records.err != nil {
			// Without the remaining IDs, nothing shows whether the next objects have records.
			return nil, records.err
		}
		o.bytes.total++
		isOld := w.now.Sub(entry.Modified) >= w.setup.config.Grace
		if !hasRecord && isOld {
			o.bytes.addOrphan(entry.Key)
		}
	}

	// After the last object, all remaining records are orphans.
	records.skipAllOrphans()
	if records.err != nil {
		return nil, records.err
	}

	// An unfinished upload may have made its object, and makes the record next.
	return o, w.dropClaimed(ctx, &o.bytes)
}

// An idCursor reads the sorted IDs of records one after the other, and counts them in a tally.
type idCursor struct {
	pull  func() (string, error, bool)
	tally *tally
	id    string // current ID
	hasID bool   // false after the last ID, and after an error
	err   error
}

// newIDCursor returns a cursor at the first ID, and a function stop that ends the listing.
func newIDCursor(ids iter.Seq2[string, error], t *tally) (cursor *idCursor, stop func()) {
	pull, stop := iter.Pull2(ids)
	cursor = &idCursor{pull: pull, tally: t}
	cursor.read()
	return cursor, stop
}

// read reads the next ID.
func (c *idCursor) read() {
	id, err, ok := c.pull()
	c.id = id
	c.err = err
	c.hasID = ok && err == nil
}

// next counts the current record, and goes to the next ID.
func (c *idCursor) next() {
	c.tally.total++
	c.read()
}

// advanceTo counts the records before the ID of an object as orphans, because no object has their ID. It reports
// whether there is a record with this ID, and then counts and passes it.
func (c *idCursor) advanceTo(id string) bool {
	for c.hasID && c.id < id {
		c.tally.addOrphan(c.id)
		c.next()
	}
	if !c.hasID || c.id != id {
		return false
	}

	c.next()
	return true
}

// skipAllOrphans counts all records that are left as orphans.
func (c *idCursor) skipAllOrphans() {
	for c.hasID {
		c.tally.addOrphan(c.id)
		c.next()
	}
}

// dropClaimed removes the objects of unfinished uploads from the tally. They are no orphans, because an
// upload creates the record after the object.
func (w *sweeper) dropClaimed(ctx context.Context, bytes *tally) error {
	if bytes.orphaned == 0 {
		return nil
	}
	var mu sync.Mutex // guards bytes
	return running.Stream(ctx, w.sessions(ctx, ""), readConcurrency, func(ctx context.Context, g group) error {
		if !g.hasState {
			return nil
		}
		s, err := w.keeper.Read(ctx, g.name)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			// The session has been removed since it was listed.
			return nil
		}
		if err != nil {
			return err
		}
		if s.Phase == session.PhaseDone || s.Phase == session.PhaseAborted {
			// Only an unfinished upload may have an object without a record.
			return nil
		}

		// Several sessions are read concurrently.
		mu.Lock()
		defer mu.Unlock()
		for _, key := range w.setup.possibleKeys(s) {
			if bytes.keys[key] {
				delete(bytes.keys, key)
				bytes.orphaned--
			}
		}
		return nil
	})
}

// checkLimit fails if there are so many orphans that the bucket and the records probably do not
// belong together.
func (w *sweeper) checkLimit(o *orphans) error {
	if w.noOrphanLimit {
		return nil
	}
	if o.bytes.withinLimit() && o.records.withinLimit() {
		return nil
	}
	return &storage.Error{
		Code: storage.PreconditionFailed,
		Op:   "Sweep",
		Key:  w.setup.config.Key,
		Err: fmt.Errorf("%d of %d files have no record, and %d of %d records no bytes",
			o.bytes.orphaned, o.bytes.total, o.records.orphaned, o.records.total),
		Hint: "check that the service has its own bucket and its own records; if so, as after a change of Config.Key, call Sweep with WithoutOrphanLimit",
	}
}

func allIDs(ctx context.Context, records Records) iter.Seq2[string, error] {
	return paged("", func(startAfter string) ([]string, string, error) { return records.IDs(ctx, startAfter, listPage) })
}
