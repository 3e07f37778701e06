package files

import (
	"context"
	"fmt"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/pieces"
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
type tally[T any] struct {
	total, orphaned int
	found           []T // the orphans, at most maxRemembered
}

func (s *tally[T]) add(one T) {
	if s.orphaned++; len(s.found) < maxRemembered {
		s.found = append(s.found, one)
	}
}

func (s *tally[T]) withinLimit() bool {
	return s.orphaned <= maxOrphans || s.orphaned <= s.total/orphanShare
}

// An orphan is an object with bytes and without a record.
type orphan struct{ id, key string }

// orphans has the tallies of bytes and of records.
type orphans struct {
	bytes   tally[orphan]
	records tally[string]
}

// findOrphans walks keys and IDs together, because both are sorted. Young bytes are
// not orphans, because their record may not be created yet, as that of a claim.
func (w *sweep) findOrphans(ctx context.Context) (*orphans, error) {
	found := &orphans{}
	ids := &idWalk{records: w.kind.records}
	id, more := ids.next(ctx)
	next := func() {
		found.records.total++
		id, more = ids.next(ctx)
	}
	for entry, err := range w.store.bucket.List(ctx, storage.WithPrefix(w.kind.bytes)) {
		if err != nil {
			return nil, err
		}
		of, ours := w.kind.id(entry.Key)
		if !ours {
			continue
		}
		found.bytes.total++
		for ; more && id < of; next() {
			found.records.add(id)
		}
		switch {
		case ids.err != nil:
			return nil, ids.err // it is not known what else has a record
		case more && id == of:
			next()
		case w.now.Sub(entry.Modified) >= w.store.config.Grace:
			found.bytes.add(orphan{of, entry.Key})
		}
	}
	for ; more; next() {
		found.records.add(id)
	}
	if ids.err != nil {
		return nil, ids.err
	}
	return found, w.dropClaimed(ctx, &found.bytes)
}

// dropClaimed drops bytes whose record will be created.
func (w *sweep) dropClaimed(ctx context.Context, bytes *tally[orphan]) error {
	if bytes.orphaned == 0 {
		return nil
	}
	// Of an upload in parts, the bytes may exist without a record.
	claimed, err := pieces.Of(w.kind.uploads).Unrecorded(ctx)
	if err != nil {
		return err
	}
	before := len(bytes.found)
	bytes.found = slices.DeleteFunc(bytes.found, func(one orphan) bool { return claimed[one.key] })
	bytes.orphaned -= before - len(bytes.found)
	return nil
}

// checkLimit refuses a bucket and records that do not belong together. It does not
// apply to temp files, whose bytes and records are in one bucket.
func (w *sweep) checkLimit(found *orphans) error {
	if w.noOrphanLimit || w.kind.bytes == w.store.temp.bytes || found.bytes.withinLimit() && found.records.withinLimit() {
		return nil
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "Sweep", Key: w.kind.bytes,
		Err: fmt.Errorf("%d of %d files have no record, and %d of %d records no bytes",
			found.bytes.orphaned, found.bytes.total, found.records.orphaned, found.records.total),
		Hint: "check that the store was opened with its own bucket and its own records; if so, call Sweep with WithoutOrphanLimit",
	}
}

// An idWalk returns the IDs of all records, one by one, and reads them in pages.
type idWalk struct {
	records Records
	page    []string
	after   string
	last    bool  // there are no more pages
	err     error // why it stopped before the end
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
