package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
)

// Some stores list in the order of a directory tree: all keys below "a/" come before "a-b". In byte
// order, the keys below "a/" come after "a-b". This file lists such stores folder by folder, and
// returns the keys in byte order.
//
// Within one folder, a store must list in byte order or in the order of names. In the order of
// names, the folder "a/" has the name "a", and comes before "a-b". In byte order, "a/" comes after
// "a-b". The folder "a/" is therefore kept in memory until the store returns an entry that is
// greater than "a/".
//
// Several folders may be in memory at the same time, such as "a/" and "a-b/", but only if the name of the
// first begins the name of the second. Few folders have such names, so few are in memory at once.
//
// One page is kept in memory for each folder above the current one. If a store lists in any other
// order, the listing fails, so that no entry is missed.

// A visit is a function that receives one entry, with its whole key. If it returns an error, the
// listing ends.
type visit func(storage.ListEntry) *storage.Error

// visitDerived visits the requested entries in byte order, from the start of the prefix, whatever
// order the store lists in.
func (l *listOp) visitDerived(ctx context.Context, fn visit) *storage.Error {
	deep := l.req.Delimiter != folderDelimiter // whether to visit the objects in subfolders, too
	if l.mustRollUp() {
		fn = l.rollingUp(fn)
	}
	if l.op.engine.desc.FolderOrder {
		return l.visitFolder(ctx, l.req.Prefix, deep, fn)
	}
	return l.visitFlat(ctx, fn)
}

// visitFlat calls fn for all objects with the prefix, for a store that lists in byte order.
func (l *listOp) visitFlat(ctx context.Context, fn visit) *storage.Error {
	req := l.req
	req.Delimiter = ""
	for {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}

		page, err := l.fetch(ctx, &req, &l.progress)
		if err != nil {
			return err
		}
		if err := l.filterAscending(page, &req); err != nil {
			return err
		}

		for _, entry := range page.Entries {
			if err := fn(entry); err != nil {
				return err
			}
		}
		isLast := page.Token == ""
		if isLast {
			return nil
		}
		req.Token = page.Token
		// The next page may use the memory of this one.
		req.Entries = page.Entries[:0]
	}
}

// rollingUp returns a visit that groups keys by the delimiter: it calls fn once for each common prefix,
// and not for the objects below it.
func (l *listOp) rollingUp(fn visit) visit {
	last := "" // the last common prefix that fn was called with
	return func(entry storage.ListEntry) *storage.Error {
		prefix, isBelow := objectkey.CommonPrefix(entry.Key, l.req.Prefix, l.req.Delimiter)
		if !isBelow {
			return fn(entry)
		}
		if prefix == last || prefix <= l.after {
			// The prefix was visited, or the listing begins after it.
			return nil
		}
		last = prefix
		return fn(storage.ListEntry{Key: prefix, IsPrefix: true})
	}
}

// visitFolder calls fn for the entries of the folder with the prefix, in key order, for a store that
// lists only folder by folder. If deep is true, it visits the entries of subfolders instead of the
// subfolders themselves.
func (l *listOp) visitFolder(ctx context.Context, prefix string, deep bool, fn visit) *storage.Error {
	// List the folder from its beginning, with its subfolders as prefixes.
	req := l.req
	req.Prefix = prefix
	req.Delimiter = folderDelimiter
	req.StartAfter = ""
	req.Token = ""
	req.Entries = nil
	visitEntry := func(entry storage.ListEntry) *storage.Error { return l.visitEntry(ctx, entry, deep, fn) }
	sorter := &folderSorter{engine: l.op.engine, req: &req, visit: visitEntry}

	// Each folder needs its own progress, because the pages of its subfolders come between its own
	// pages.
	var progress pageProgress
	for {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}

		page, err := l.fetch(ctx, &req, &progress)
		if err != nil {
			return err
		}

		if err := sorter.addPage(page.Entries); err != nil {
			return err
		}
		if page.Token == "" {
			return sorter.releaseAll()
		}
		req.Token = page.Token
		// The next page may use the memory of this one.
		req.Entries = page.Entries[:0]
	}
}

// visitEntry calls fn for one entry of a folder. If deep is true and the entry is a subfolder, it
// visits the entries of the subfolder instead, unless the listing begins after all of them.
func (l *listOp) visitEntry(ctx context.Context, entry storage.ListEntry, deep bool, fn visit) *storage.Error {
	if deep && entry.IsPrefix {
		mayHaveWanted := entry.Key > l.after || strings.HasPrefix(l.after, entry.Key)
		if !mayHaveWanted {
			return nil
		}
		return l.visitFolder(ctx, entry.Key, deep, fn)
	}
	if !l.wants(&entry) {
		return nil
	}
	return fn(entry)
}

// compareNames compares entries in the order of a directory, in which the folder "a/" has the name
// "a".
func compareNames(a, b storage.ListEntry) int {
	return cmp.Or(strings.Compare(nameOf(&a), nameOf(&b)), strings.Compare(a.Key, b.Key))
}

// nameOf returns the name of an entry in a directory, which is "a" for the folder "a/".
func nameOf(entry *storage.ListEntry) string {
	if entry.IsPrefix {
		return strings.TrimSuffix(entry.Key, folderDelimiter)
	}
	return entry.Key
}

// A folderSorter changes the order of the entries of one folder. The store lists the entries in the
// order of names, and the folderSorter visits them in byte order.
type folderSorter struct {
	engine *engine
	req    *driver.ListRequest
	visit  visit
	last   string // the greatest key that was visited
	// held has the prefixes that were not visited yet, because lesser entries may still come. It is a
	// stack: the prefixes are in descending order, so the least is the last.
	held []storage.ListEntry
}

// addPage adds the entries of one page of the store, in the order of names.
func (s *folderSorter) addPage(entries []storage.ListEntry) *storage.Error {
	// S3 returns the objects and the prefixes of a page in two lists, which sorting makes one. It does
	// not hide the wrong order of a store: an entry of a later page is then less than one of an earlier
	// page, and add fails.
	slices.SortFunc(entries, compareNames)
	for _, entry := range entries {
		if err := s.add(entry); err != nil {
			return err
		}
	}
	return nil
}

// add visits the next entry of the store, after the held prefixes that come before it. It holds back a
// prefix such as "a/". The store lists it by its name "a", and so before "a!b", but in byte order
// "a!b" comes before "a/".
func (s *folderSorter) add(entry storage.ListEntry) *storage.Error {
	// Some servers return keys outside of the prefix.
	if !strings.HasPrefix(entry.Key, s.req.Prefix) {
		return nil
	}
	isFolderItself := entry.IsPrefix && entry.Key == s.req.Prefix
	if isFolderItself {
		// The folder would be listed without end.
		return outOfOrder(s.engine)
	}
	if rollsUp(&entry, s.req) {
		entry = storage.ListEntry{Key: entry.Key, IsPrefix: true}
	}

	if err := s.releaseBefore(entry.Key); err != nil {
		return err
	}
	// No held prefix comes before the entry now.
	least := s.least()
	if least != nil && least.Key == entry.Key {
		// The store has repeated the entry.
		return nil
	}
	// In the order of names, the entry comes after a held folder, such as "a/" with the name "a". In byte
	// order, it comes before "a/". All keys between "a" and "a/" begin with "a".
	if least != nil && !strings.HasPrefix(entry.Key, nameOf(least)) {
		return outOfOrder(s.engine)
	}

	if entry.IsPrefix {
		s.held = append(s.held, entry)
		return nil
	}
	return s.pass(entry)
}

// least returns the least prefix that is held, or nil if none is.
func (s *folderSorter) least() *storage.ListEntry {
	if len(s.held) == 0 {
		return nil
	}
	return &s.held[len(s.held)-1]
}

// releaseBefore visits the prefixes that add has held back, as far as they come before key in byte
// order.
func (s *folderSorter) releaseBefore(key string) *storage.Error {
	for {
		least := s.least()
		if least == nil || least.Key >= key {
			return nil
		}
		if err := s.visitLeast(); err != nil {
			return err
		}
	}
}

// releaseAll visits the prefixes that are still held after the last page.
func (s *folderSorter) releaseAll() *storage.Error {
	for len(s.held) > 0 {
		if err := s.visitLeast(); err != nil {
			return err
		}
	}
	return nil
}

// visitLeast visits the least prefix that is held, which is then no longer held.
func (s *folderSorter) visitLeast() *storage.Error {
	least := *s.least()
	s.held = s.held[:len(s.held)-1]
	return s.pass(least)
}

// pass visits an entry, and fails if it is less than one that was visited before.
func (s *folderSorter) pass(entry storage.ListEntry) *storage.Error {
	if entry.Key == s.last {
		// The store has repeated the entry.
		return nil
	}
	if entry.Key < s.last {
		return outOfOrder(s.engine)
	}
	s.last = entry.Key
	return s.visit(entry)
}

// eachDerived yields the entries that visitDerived visits, up to the limit.
func (l *listOp) eachDerived(ctx context.Context, yield func(storage.ListEntry, error) bool) *storage.Error {
	l.req.Limit = l.pageSize()
	if limit := l.opts.Limit; limit > 0 {
		// Request one entry more than the limit, because visitDerived visits a prefix only after it has
		// seen the next entry.
		l.req.Limit = min(l.req.Limit, limit+1)
	}

	remaining := l.maxEntries()
	yieldEntry := func(entry storage.ListEntry) *storage.Error {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		remaining--
		if !yield(l.present(entry), nil) || remaining == 0 {
			return errStopped
		}
		return nil
	}
	return l.visitDerived(ctx, yieldEntry)
}

// pageDerived returns a page of at most size entries. If more follow, the token of the page contains
// its last key. The next page lists from the start again, and drops the entries up to that key.
func (l *listOp) pageDerived(ctx context.Context, size int) (*storage.Page, *storage.Error) {
	l.req.Limit = maxPage(l.op.engine)
	page := &storage.Page{}
	err := l.visitDerived(ctx, func(entry storage.ListEntry) *storage.Error {
		if len(page.Entries) == size {
			page.Token = sealKey(l, page.Entries[size-1].Key)
			return errStopped
		}
		page.Entries = append(page.Entries, l.present(entry))
		return nil
	})
	if err != nil && err != errStopped {
		return nil, err
	}
	return page, nil
}

// present returns the entry as the user sees it.
func (l *listOp) present(entry storage.ListEntry) storage.ListEntry {
	one := [...]storage.ListEntry{entry}
	l.entriesToUser(one[:])
	return one[0]
}
