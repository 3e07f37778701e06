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

func (s *tally) add(one string) {
	s.orphaned++
	if len(s.keys) < maxRemembered {
		s.keys[one] = true
	}
}

func (s *tally) withinLimit() bool {
	return s.orphaned <= maxOrphans || s.orphaned <= s.total/orphanShare
}

// orphans has the bytes that lack a record, and the records that lack bytes.
type orphans struct{ bytes, records tally }

const (
	expiredAtOnce     = 100
	removeConcurrency = 8
)

// removeExpired removes expired files, page by page. If a removal fails, it stops after that page,
// because the next page would begin with the same files.
func (w *sweeper) removeExpired(ctx context.Context) error {
	for {
		files, err := w.setup.config.Records.Expired(ctx, w.now, expiredAtOnce)
		if err != nil || len(files) == 0 {
			return err
		}
		errs := running.All(len(files), removeConcurrency, func(i int) error {
			return w.files.removeCounted(ctx, files[i])
		})
		n := 0
		for i, err := range errs {
			switch err {
			case nil:
				n++
			case errKept:
				errs[i] = nil
			default:
				errs[i] = fmt.Errorf("file %s: %w", files[i].ID, err)
			}
		}
		w.report.Expired += n
		if err := errors.Join(errs...); err != nil || n == 0 {
			return err
		}
	}
}

// removeOrphans removes bytes without records, and records without bytes. Keys and IDs were listed at
// different times, so it checks each orphan again before it removes it.
func (w *sweeper) removeOrphans(ctx context.Context) error {
	o, err := w.findOrphans(ctx)
	if err == nil {
		err = w.checkLimit(o)
	}
	if err != nil {
		return err
	}
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

func (w *sweeper) removeOrphanRecord(ctx context.Context, id string) error {
	_, ok, err := w.files.recordWithBytes(ctx, id)
	if ok {
		w.report.Records++
	}
	return err
}

// findOrphans finds objects of files without a record, and records without an object. It lists the
// objects and the IDs of records in parallel, because both lists are sorted by ID. An object that
// is younger than Config.Grace is not an orphan, because its record may not be created yet.
func (w *sweeper) findOrphans(ctx context.Context) (*orphans, error) {
	o := &orphans{
		tally{keys: map[string]bool{}}, tally{keys: map[string]bool{}},
	}
	pattern := w.setup.pattern
	prefix, _ := pattern.Ordered()
	pull, stop := iter.Pull2(allIDs(ctx, w.setup.config.Records))
	defer stop()
	id, failure, hasMore := pull()
	next := func() {
		o.records.total++
		id, failure, hasMore = pull()
	}

	for entry, err := range w.keeper.Bucket.List(ctx, storage.WithPrefix(prefix)) {
		if err != nil {
			return nil, err
		}
		fileID := pattern.ID(entry.Key)
		if fileID == "" {
			continue
		}
		o.bytes.total++
		for ; hasMore && failure == nil && id < fileID; next() {
			o.records.add(id)
		}
		switch {
		case failure != nil:
			// The remaining IDs are not known, so nothing shows whether the next objects have
			// records.
			return nil, failure
		case hasMore && id == fileID:
			next()
		case w.now.Sub(entry.Modified) >= w.setup.config.Grace:
			o.bytes.add(entry.Key)
		}
	}

	for ; hasMore && failure == nil; next() {
		o.records.add(id)
	}
	if failure != nil {
		return nil, failure
	}
	return o, w.dropClaimed(ctx, &o.bytes)
}

// dropClaimed removes the objects of unfinished uploads from the tally. An upload stores its object
// before it creates the record. So the object of an unfinished upload is not an orphan.
func (w *sweeper) dropClaimed(ctx context.Context, bytes *tally) error {
	if bytes.orphaned == 0 {
		return nil
	}
	var mu sync.Mutex
	return running.Stream(ctx, w.sessions(ctx, ""), readConcurrency, func(ctx context.Context, g group) error {
		if !g.hasState {
			return nil
		}
		s, err := w.keeper.Read(ctx, g.name)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		if err != nil || s.Phase == session.PhaseDone || s.Phase == session.PhaseAborted {
			return err
		}
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
	if w.noOrphanLimit || o.bytes.withinLimit() && o.records.withinLimit() {
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
