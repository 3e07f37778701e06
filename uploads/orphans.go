package uploads

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
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

// A tally counts the orphans among bytes or among records.
type tally struct {
	total, orphaned int
	found           map[string]bool // keys or IDs of the first orphans, at most maxRemembered
}

func (s *tally) add(one string) {
	if s.orphaned++; len(s.found) < maxRemembered {
		s.found[one] = true
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

// expired removes expired files, page by page. If a removal fails, it stops after that page,
// because the next page would begin with the same files.
func (w *sweeper) expired(ctx context.Context) error {
	for {
		found, err := w.keeper.config.Records.Expired(ctx, w.now, expiredAtOnce)
		if err != nil || len(found) == 0 {
			return err
		}
		errs := parallel.All(
			len(found), removeConcurrency, func(i int) error { return w.keeper.service.removeCounted(ctx, found[i]) },
		)
		removed := 0
		for i, err := range errs {
			switch err {
			case nil:
				removed++
			case errKept:
				errs[i] = nil
			default:
				errs[i] = fmt.Errorf("file %s: %w", found[i].ID, err)
			}
		}
		w.report.Expired += removed
		if err := errors.Join(errs...); err != nil || removed == 0 {
			return err
		}
	}
}

// orphans removes bytes without records, and records without bytes. Keys and IDs were listed at
// different times, so it checks each orphan again before it removes it.
func (w *sweeper) orphans(ctx context.Context) error {
	found, err := w.findOrphans(ctx)
	if err == nil {
		err = w.checkLimit(found)
	}
	if err != nil {
		return err
	}
	for key := range found.bytes.found {
		if len(w.errs) < maxFailures {
			w.add(w.removeOrphanBytes(ctx, key))
		}
	}
	for id := range found.records.found {
		if len(w.errs) < maxFailures {
			w.add(w.removeOrphanRecord(ctx, id))
		}
	}
	return nil
}

func (w *sweeper) removeOrphanBytes(ctx context.Context, key string) error {
	switch _, err := w.keeper.config.Records.Record(ctx, w.keeper.service.pattern.ID(key)); {
	case err == nil:
		return nil
	case storage.CodeOf(err) != storage.ObjectNotFound:
		return err
	}
	if err := w.keeper.service.removeBytes(ctx, key); err != nil {
		return err
	}
	w.report.Bytes++
	return nil
}

func (w *sweeper) removeOrphanRecord(ctx context.Context, id string) error {
	_, removed, err := w.keeper.service.whole(ctx, id)
	if removed {
		w.report.Records++
	}
	return err
}

// findOrphans compares the keys of bytes with the IDs of records. It reads both lists in parallel,
// because both are sorted by ID. Bytes younger than Config.Grace are not orphans, because their
// record may not be created yet.
func (w *sweeper) findOrphans(ctx context.Context) (*orphans, error) {
	found, pattern := &orphans{
		tally{found: map[string]bool{}}, tally{found: map[string]bool{}},
	}, w.keeper.service.pattern
	before, _ := pattern.Ordered()
	pull, stop := iter.Pull2(allIDs(ctx, w.keeper.config.Records))
	defer stop()
	id, failed, more := pull()
	next := func() {
		found.records.total++
		id, failed, more = pull()
	}
	for entry, err := range w.keeper.bucket.List(ctx, storage.WithPrefix(before)) {
		if err != nil {
			return nil, err
		}
		of := pattern.ID(entry.Key)
		if of == "" {
			continue
		}
		found.bytes.total++
		for ; more && failed == nil && id < of; next() {
			found.records.add(id)
		}
		switch {
		case failed != nil:
			return nil, failed // the rest of the IDs is not known, so later bytes might have a record
		case more && id == of:
			next()
		case w.now.Sub(entry.Modified) >= w.keeper.config.Grace:
			found.bytes.add(entry.Key)
		}
	}
	for ; more && failed == nil; next() {
		found.records.add(id)
	}
	if failed != nil {
		return nil, failed
	}
	return found, w.dropClaimed(ctx, &found.bytes)
}

// dropClaimed removes the objects of unfinished uploads from the tally. These objects are not
// orphans, because an upload stores its bytes before its record.
func (w *sweeper) dropClaimed(ctx context.Context, bytes *tally) error {
	if bytes.orphaned == 0 {
		return nil
	}
	var mu sync.Mutex
	return parallel.Stream(ctx, w.sessions(ctx, ""), readConcurrency, func(ctx context.Context, g group) error {
		if !g.hasState {
			return nil
		}
		s, err := w.keeper.read(ctx, g.name)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil
		case err != nil || s.Phase == phaseDone || s.Phase == phaseAborted:
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, key := range w.keeper.possibleKeys(s) {
			if bytes.found[key] {
				delete(bytes.found, key)
				bytes.orphaned--
			}
		}
		return nil
	})
}

// checkLimit fails if there are so many orphans that the bucket and the records probably do not
// belong together.
func (w *sweeper) checkLimit(found *orphans) error {
	if w.noOrphanLimit || found.bytes.withinLimit() && found.records.withinLimit() {
		return nil
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "Sweep", Key: w.keeper.config.Key,
		Err: fmt.Errorf("%d of %d files have no record, and %d of %d records no bytes",
			found.bytes.orphaned, found.bytes.total, found.records.orphaned, found.records.total),
		Hint: "check that the service has its own bucket and its own records; if so, as after a change of Config.Key, call Sweep with WithoutOrphanLimit",
	}
}

func allIDs(ctx context.Context, records Records) iter.Seq2[string, error] {
	return paged("", func(after string) ([]string, string, error) { return records.IDs(ctx, after, listPage) })
}
