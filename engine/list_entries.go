package engine

import (
	"context"
	"iter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

// List yields the matching objects in key order.
func (b bucket) List(ctx context.Context, given *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		l := &listOp{}
		iterate(ctx, &l.op, l.open(b.core, "List", given), l.each, yield)
	}
}

// iterate begins the operation, calls each and ends it with at most one error, which it yields
// last. If the checks before it failed with e, it yields only that.
func iterate[E any](
	ctx context.Context, o *operation, e *storage.Error, each func(context.Context, func(E, error) bool) *storage.Error,
	yield func(E, error) bool,
) {
	if e == nil {
		ctx, e = o.begin(ctx)
	}
	if e == nil {
		e = each(ctx, yield)
	}
	if e == errStopped {
		e = nil
	}
	if err := o.end(e); err != nil {
		var none E
		yield(none, err)
	}
}

// errStopped ends a listing if the caller wants no more entries.
var errStopped = &storage.Error{Code: storage.Canceled}

// each yields entry by entry, page by page.
func (l *listOp) each(ctx context.Context, yield func(storage.ListEntry, error) bool) *storage.Error {
	l.startFromPrefix()
	if l.derives() {
		return l.eachDerived(ctx, yield)
	}
	remaining := l.given.Limit
	bounded := remaining > 0
	var next *pagePrefetch
	defer func() { next.stop() }()
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		l.req.Limit = l.limitOf(remaining)
		page, e := l.next(ctx, next)
		next = nil
		if e != nil {
			return e
		}
		count := len(page.Entries)
		more := page.Token != "" && !(bounded && remaining <= count)
		for i := range page.Entries {
			if err := ctx.Err(); err != nil {
				return asError(ctx, err)
			}
			if more && l.shouldPrefetch(first, i, count) {
				next = l.prefetch(ctx, page.Token, l.limitOf(remaining+i-count))
			}
			if !yield(page.Entries[i], nil) {
				return errStopped
			}
			if remaining--; remaining == 0 {
				return nil
			}
		}
		if !more {
			return nil
		}
		l.req.Token, l.req.Entries = page.Token, page.Entries[:0]
	}
}

// A pagePrefetch is the next page, which is fetched while the current one is read.
type pagePrefetch struct {
	cancel context.CancelFunc
	group  panics.Group // runs the fetch of the page
	page   *storage.Page
	e      *storage.Error
}

// untilPrefetch is the part of the first page, one entry in 8, that a caller reads before the
// next page is fetched.
const untilPrefetch = 8

// shouldPrefetch reports whether to fetch the next page before entry i of count. A caller that
// leaves the loop early in the first page costs no request. Later pages are fetched as soon as
// the one before has come, so that the whole request overlaps with the caller's work. A
// response from this machine needs no prefetch.
func (l *listOp) shouldPrefetch(first bool, i, count int) bool {
	switch {
	case l.op.core.desc.Local:
		return false
	case first:
		return i == max(1, count/untilPrefetch)
	}
	return i == 0
}

// prefetch begins to fetch the page of token, with at most limit entries.
func (l *listOp) prefetch(ctx context.Context, token string, limit int) *pagePrefetch {
	n := &pagePrefetch{}
	ctx, n.cancel = context.WithCancel(ctx)
	r := l.req
	r.Token, r.Entries, r.Limit = token, l.spare, limit
	l.spare = nil
	n.group.Go(func() { n.page, n.e = l.fetch(ctx, &r, &l.progress) }, nil)
	return n
}

// next returns the prefetched page or, if there is none, requests the page of l.req.
func (l *listOp) next(ctx context.Context, n *pagePrefetch) (*storage.Page, *storage.Error) {
	if n == nil {
		return l.page(ctx)
	}
	n.group.Join()
	n.cancel()
	n.group.Raise()
	if n.e != nil {
		return nil, n.e
	}
	l.spare = l.req.Entries
	if e := l.filter(n.page); e != nil {
		return nil, e
	}
	return n.page, nil
}

// stop cancels the prefetch, and waits for its end.
func (n *pagePrefetch) stop() {
	if n == nil {
		return
	}
	n.cancel()
	n.group.Wait()
}
