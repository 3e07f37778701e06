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
// Several folders may be in memory at the same time, such as "a/" and "a-b/". The name of the
// second folder must begin with the name of the first one. Few folders have such names, so few
// folders are in memory at the same time.
//
// One page is kept in memory for each folder above the current one. If a store lists in any other
// order, the listing fails, so that no entry is missed.

// A visit is a function that receives one entry, with its whole key. If it returns an error, the
// listing ends.
type visit func(storage.ListEntry) *storage.Error

// visitDerived visits the requested entries in byte order. It begins at the start of the prefix and
// ignores tokens.
func (l *listOp) visitDerived(ctx context.Context, fn visit) *storage.Error {
	deep := l.req.Delimiter != folderDelimiter
	if l.mustRollUp() {
		fn = l.rollingUp(fn)
	}
	if l.op.engine.desc.FolderOrder {
		return l.visitFolder(ctx, l.req.Prefix, deep, fn)
	}
	return l.visitFlat(ctx, fn)
}

// visitFlat visits all objects with the prefix, for a store that lists in byte order.
func (l *listOp) visitFlat(ctx context.Context, fn visit) *storage.Error {
	r := l.req
	r.Delimiter = ""
	for {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		page, e := l.fetch(ctx, &r, &l.progress)
		if e == nil {
			e = l.filterAscending(page, &r)
		}
		if e != nil {
			return e
		}
		for _, entry := range page.Entries {
			if e := fn(entry); e != nil {
				return e
			}
		}
		if page.Token == "" {
			return nil
		}
		r.Token = page.Token
		r.Entries = page.Entries[:0]
	}
}

// rollingUp returns a visit that groups keys by the delimiter. It passes each common prefix once to
// the given visit. It does not pass the objects below a common prefix.
func (l *listOp) rollingUp(fn visit) visit {
	last := ""
	return func(entry storage.ListEntry) *storage.Error {
		if common, rolled := objectkey.CommonPrefix(entry.Key, l.req.Prefix, l.req.Delimiter); rolled {
			if common == last || common <= l.after {
				return nil
			}
			entry = storage.ListEntry{Key: common, IsPrefix: true}
			last = common
		}
		return fn(entry)
	}
}

// visitFolder visits the entries of one folder. The key of each entry begins with prefix. If deep is
// true, visitFolder also visits the entries of subfolders, but not the subfolders themselves.
func (l *listOp) visitFolder(ctx context.Context, prefix string, deep bool, fn visit) *storage.Error {
	r := l.req
	r.Prefix = prefix
	r.Delimiter = folderDelimiter
	r.StartAfter = ""
	r.Token = ""
	r.Entries = nil
	level := &level{engine: l.op.engine, req: &r, visit: func(entry storage.ListEntry) *storage.Error {
		if deep && entry.IsPrefix && (entry.Key > l.after || strings.HasPrefix(l.after, entry.Key)) {
			return l.visitFolder(ctx, entry.Key, deep, fn)
		}
		if deep && entry.IsPrefix || !l.wants(&entry) {
			return nil
		}
		return fn(entry)
	}}

	// Each folder needs its own progress, because the pages of its subfolders come between its own
	// pages.
	var progress pageProgress
	for {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		page, e := l.fetch(ctx, &r, &progress)
		if e != nil {
			return e
		}
		// S3 returns the objects and the prefixes of a page in two lists. Sort them into one list.
		// If the store lists in a wrong order, level.add still fails, because an entry of a later
		// page is less than an entry of an earlier page.
		slices.SortFunc(page.Entries, compareNames)
		for _, entry := range page.Entries {
			if e := level.add(entry); e != nil {
				return e
			}
		}
		if page.Token == "" {
			return level.release("")
		}
		r.Token = page.Token
		r.Entries = page.Entries[:0]
	}
}

// compareNames compares entries in the order of a directory, in which the folder "a/" has the name
// "a".
func compareNames(a, b storage.ListEntry) int {
	return cmp.Or(strings.Compare(nameOf(&a), nameOf(&b)), strings.Compare(a.Key, b.Key))
}

func nameOf(e *storage.ListEntry) string {
	if e.IsPrefix {
		return strings.TrimSuffix(e.Key, folderDelimiter)
	}
	return e.Key
}

// A level changes the order of the entries of one folder. The store lists the entries in the order
// of names, and the level visits them in byte order.
type level struct {
	engine *engine
	req    *driver.ListRequest
	visit  visit
	last   string // the greatest key that was visited
	// held has the prefixes that were not visited yet, because lesser entries may still come. The
	// prefixes are in descending order.
	held []storage.ListEntry
}

func (v *level) add(entry storage.ListEntry) *storage.Error {
	switch {
	case !strings.HasPrefix(entry.Key, v.req.Prefix):
		return nil
	case entry.IsPrefix && entry.Key == v.req.Prefix: // the folder would be listed without end
		return outOfOrder(v.engine)
	case rollsUp(&entry, v.req):
		entry = storage.ListEntry{Key: entry.Key, IsPrefix: true}
	}

	if e := v.release(entry.Key); e != nil {
		return e
	}
	if n := len(v.held); n > 0 {
		if entry.Key == v.held[n-1].Key {
			return nil // a repeat
		}
		if !strings.HasPrefix(entry.Key, nameOf(&v.held[n-1])) {
			return outOfOrder(v.engine)
		}
	}

	if !entry.IsPrefix {
		return v.pass(entry)
	}
	v.held = append(v.held, entry)
	return nil
}

// release visits the held prefixes that come before key, or all of them if key is "".
func (v *level) release(key string) *storage.Error {
	for n := len(v.held); n > 0 && (key == "" || v.held[n-1].Key < key); n-- {
		entry := v.held[n-1]
		v.held = v.held[:n-1]
		if e := v.pass(entry); e != nil {
			return e
		}
	}
	return nil
}

func (v *level) pass(entry storage.ListEntry) *storage.Error {
	if entry.Key == v.last {
		return nil // a repeat
	}
	if entry.Key < v.last {
		return outOfOrder(v.engine)
	}
	v.last = entry.Key
	return v.visit(entry)
}

// eachDerived yields the entries that the method visitDerived makes.
func (l *listOp) eachDerived(ctx context.Context, yield func(storage.ListEntry, error) bool) *storage.Error {
	remaining := l.opts.Limit
	l.req.Limit = l.pageSize()
	if remaining > 0 {
		// Request one entry more than the limit, because visitDerived visits a prefix only after it has
		// seen the next entry.
		l.req.Limit = min(l.req.Limit, remaining+1)
	}
	return l.visitDerived(ctx, func(entry storage.ListEntry) *storage.Error {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		remaining--
		if !yield(l.present(entry), nil) || remaining == 0 {
			return errStopped
		}
		return nil
	})
}

// pageDerived returns a page of at most size entries. If more entries follow, the token of the page
// contains the last key of the page. For the next page, the listing begins again at its start, and
// drops entries up to that key.
func (l *listOp) pageDerived(ctx context.Context, size int) (*storage.Page, *storage.Error) {
	l.req.Limit = maxPage(l.op.engine)
	page := &storage.Page{}
	e := l.visitDerived(ctx, func(entry storage.ListEntry) *storage.Error {
		if len(page.Entries) == size {
			page.Token = sealKey(l, page.Entries[size-1].Key)
			return errStopped
		}
		page.Entries = append(page.Entries, l.present(entry))
		return nil
	})
	if e != nil && e != errStopped {
		return nil, e
	}
	return page, nil
}

func (l *listOp) present(entry storage.ListEntry) storage.ListEntry {
	one := [...]storage.ListEntry{entry}
	l.entriesToUser(one[:])
	return one[0]
}
