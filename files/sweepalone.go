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
	alonePlausible = 10
	aloneShare     = 10 // a tenth
	// maxAlone bounds what one pass remembers.
	maxAlone = 10_000
)

// A side is what a walk has seen of bytes or of records.
type side[T any] struct {
	all, alone int
	some       []T // of those that are alone, maxAlone at most
}

func (s *side[T]) add(one T) {
	if s.alone++; len(s.some) < maxAlone {
		s.some = append(s.some, one)
	}
}

func (s *side[T]) plausible() bool {
	return s.alone <= alonePlausible || s.alone <= s.all/aloneShare
}

// A lone object has bytes and no record.
type lone struct{ id, key string }

// standing are both sides of a store.
type standing struct {
	bytes   side[lone]
	records side[string]
}

// alone walks keys and IDs, which are in one order, side by side. Young bytes are
// not alone: their record may be on its way, as that of a claim may.
func (w *sweep) alone(ctx context.Context) (*standing, error) {
	found := &standing{}
	ids := &idWalk{records: w.records}
	id, more := ids.next(ctx)
	next := func() {
		found.records.all++
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
		found.bytes.all++
		for ; more && id < of; next() {
			found.records.add(id)
		}
		switch {
		case ids.err != nil:
			return nil, ids.err // what else has a record is not known
		case more && id == of:
			next()
		case w.now.Sub(entry.Modified) >= w.config.Grace:
			found.bytes.add(lone{of, entry.Key})
		}
	}
	for ; more; next() {
		found.records.add(id)
	}
	if ids.err != nil {
		return nil, ids.err
	}
	return found, w.leaveClaimed(ctx, &found.bytes)
}

// leaveClaimed leaves out what has its record to come.
func (w *sweep) leaveClaimed(ctx context.Context, bytes *side[lone]) error {
	if bytes.alone == 0 {
		return nil
	}
	claimed, err := w.claimed(ctx)
	if err != nil {
		return err
	}
	before := len(bytes.some)
	bytes.some = slices.DeleteFunc(bytes.some, func(one lone) bool { return claimed[one.id] })
	bytes.alone -= before - len(bytes.some)
	return nil
}

// plausible refuses to take one side of a store for the leftovers of the other.
// Temp files and their records are in one bucket.
func (w *sweep) plausible(found *standing) error {
	if w.anyShare || w.bytes == w.temp.bytes || found.bytes.plausible() && found.records.plausible() {
		return nil
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "Sweep", Key: w.bytes,
		Err: fmt.Errorf("%d of %d files have no record, and %d of %d records no bytes",
			found.bytes.alone, found.bytes.all, found.records.alone, found.records.all),
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
