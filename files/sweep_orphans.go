package files

import (
	"context"
	"fmt"
	"slices"

	"github.com/omnibucket/storage"
)

// Of the files that stand alone a sweep may find so many, or such a part of all,
// before it takes them for those of another store.
const (
	maxOrphans  = 10
	orphanShare = 10 // a tenth
	// maxAlone bounds what one pass remembers.
	maxRemembered = 10_000
)

// A side is what a walk has seen of bytes or of records.
type tally[T any] struct {
	total, orphaned int
	found           []T // of those that are alone, maxAlone at most
}

func (s *tally[T]) add(one T) {
	if s.orphaned++; len(s.found) < maxRemembered {
		s.found = append(s.found, one)
	}
}

func (s *tally[T]) withinLimit() bool {
	return s.orphaned <= maxOrphans || s.orphaned <= s.total/orphanShare
}

// A lone object has bytes and no record.
type orphan struct{ id, key string }

// standing are both sides of a store.
type orphans struct {
	bytes   tally[orphan]
	records tally[string]
}

// alone walks keys and IDs, which are in one order, side by side. Young bytes are
// not alone: their record may be on its way, as that of a claim may.
func (w *sweep) findOrphans(ctx context.Context) (*orphans, error) {
	found := &orphans{}
	ids := &idWalk{records: w.records}
	id, more := ids.next(ctx)
	next := func() {
		found.records.total++
		id, more = ids.next(ctx)
	}
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(w.bytes)) {
		if err != nil {
			return nil, err
		}
		of, ours := w.id(entry.Key)
		if !ours {
			continue
		}
		found.bytes.total++
		for ; more && id < of; next() {
			found.records.add(id)
		}
		switch {
		case ids.err != nil:
			return nil, ids.err // what else has a record is not known
		case more && id == of:
			next()
		case w.now.Sub(entry.Modified) >= w.config.Grace:
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

// leaveClaimed leaves out what has its record to come.
func (w *sweep) dropClaimed(ctx context.Context, bytes *tally[orphan]) error {
	if bytes.orphaned == 0 {
		return nil
	}
	claimed, err := w.claimed(ctx)
	if err != nil {
		return err
	}
	before := len(bytes.found)
	bytes.found = slices.DeleteFunc(bytes.found, func(one orphan) bool { return claimed[one.id] })
	bytes.orphaned -= before - len(bytes.found)
	return nil
}

// plausible refuses to take one side of a store for the leftovers of the other.
// Temp files and their records are in one bucket.
func (w *sweep) checkLimit(found *orphans) error {
	if w.noOrphanLimit || w.bytes == w.temp.bytes || found.bytes.withinLimit() && found.records.withinLimit() {
		return nil
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "Sweep", Key: w.bytes,
		Err: fmt.Errorf("%d of %d files have no record, and %d of %d records no bytes",
			found.bytes.orphaned, found.bytes.total, found.records.orphaned, found.records.total),
		Hint: "look whether the store was opened with its own bucket and its own records; where it was, AnyShare removes them",
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
