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

// A sweep refuses to run if more than maxOrphans, and more than one in orphanShare,
// are orphans: it was probably given another store's bucket or records.
const (
	maxOrphans  = 10
	orphanShare = 10 // a tenth
	// maxRemembered limits the orphans that one pass remembers.
	maxRemembered = 10_000
)

// A tally counts bytes or records.
type tally struct {
	total, orphaned int
	found           map[string]bool // keys or IDs of the orphans, at most maxRemembered
}

func (s *tally) add(one string) {
	if s.orphaned++; len(s.found) < maxRemembered {
		s.found[one] = true
	}
}

func (s *tally) withinLimit() bool {
	return s.orphaned <= maxOrphans || s.orphaned <= s.total/orphanShare
}

// orphans are bytes without a record and records without bytes.
type orphans struct{ bytes, records tally }

const (
	expiredAtOnce     = 100
	removeConcurrency = 8
)

// expired stops after a page that had a failure, because the next one would begin with the same files.
func (w *sweeper) expired(ctx context.Context) error {
	for {
		found, err := w.keeper.config.Records.Expired(ctx, w.now, expiredAtOnce)
		if err != nil || len(found) == 0 {
			return err
		}
		errs := parallel.All(
			len(found), removeConcurrency, func(i int) error { return w.keeper.service.removeRecorded(ctx, found[i]) },
		)
		for _, err := range errs {
			if err == nil {
				w.report.Expired++
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

// orphans checks each orphan again before it removes it, because keys and IDs were not listed at the same
// moment.
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

// findOrphans walks keys and IDs together, because both are sorted. Young bytes are not
// orphans, because their record may not be created yet, such as the record of a claimed upload.
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
			return nil, failed // it is not known which other bytes have a record
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

// dropClaimed drops bytes of uploads whose record will be created: the bytes of an upload in parts may exist
// without one.
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

// checkLimit refuses a bucket and records that do not belong together.
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
	return func(yield func(string, error) bool) {
		for after := ""; ; {
			ids, next, err := records.IDs(ctx, after, listPage)
			for _, id := range ids {
				if !yield(id, nil) {
					return
				}
			}
			if err != nil {
				yield("", err)
			}
			if after = next; err != nil || next == "" {
				return
			}
		}
	}
}
