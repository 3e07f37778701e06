package engine

import (
	"context"
	"iter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

// List yields the matching objects in key order.
func (b bucket) List(ctx context.Context, opts *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		l := &listOp{}
		iterate(ctx, &l.op, l.open(b.engine, "List", opts), l.each, yield)
	}
}

// iterate runs the operation, in which each yields the entries, and yields its error last. If
// checkErr, the error of an earlier check, is not nil, each is not called.
func iterate[E any](
	ctx context.Context, o *operation, checkErr *storage.Error,
	each func(context.Context, func(E, error) bool) *storage.Error, yield func(E, error) bool,
) {
	ctx, failure := o.begin(ctx, checkErr)
	if failure == nil {
		failure = each(ctx, yield)
	}
	if failure == errStopped {
		// The caller has left the loop, which is no error.
		failure = nil
	}
	if err := o.end(failure); err != nil {
		var noEntry E
		yield(noEntry, err)
	}
}

// errStopped is returned to end a listing without an error, because the caller wants no more
// entries.
var errStopped = &storage.Error{Code: storage.Canceled}

// each yields the entries page by page, and prefetches the next page while the caller works.
func (l *listOp) each(ctx context.Context, yield func(storage.ListEntry, error) bool) *storage.Error {
	l.startFromPrefix()
	if l.mustDerive() {
		return l.eachDerived(ctx, yield)
	}

	remaining := l.maxEntries()  // how many entries may still be yielded after the current page
	var prefetched *pagePrefetch // the fetch of the next page, or nil
	// If the loop ends early, the fetch must end, too.
	defer func() { prefetched.stop() }()

	for isFirst := true; ; isFirst = false {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}

		// Get the next page, which may have been prefetched.
		l.req.Limit = l.limitOf(remaining)
		page, err := l.next(ctx, prefetched)
		prefetched = nil
		if err != nil {
			return err
		}

		// Yield the entries of the page, up to the limit.
		entries := page.Entries[:min(len(page.Entries), remaining)]
		remaining -= len(entries)
		wantsNext := page.Token != "" && remaining > 0
		for i := range entries {
			if err := ctx.Err(); err != nil {
				return asError(ctx, err)
			}
			if wantsNext && l.shouldPrefetch(isFirst, i, len(entries)) {
				prefetched = l.prefetch(ctx, page.Token, l.limitOf(remaining))
			}
			if !yield(entries[i], nil) {
				return errStopped
			}
		}
		if !wantsNext {
			return nil
		}

		l.req.Token = page.Token
		// If the next page was not prefetched, it may reuse the memory of this one.
		l.req.Entries = page.Entries[:0]
	}
}

// A pagePrefetch fetches the next page while the caller reads the current one.
type pagePrefetch struct {
	cancel context.CancelFunc
	group  running.Group // runs the fetch of the page
	page   *storage.Page
	err    *storage.Error
}

// untilPrefetch sets when the second page is fetched: when the caller has read an eighth of the
// first page.
const untilPrefetch = 8

// shouldPrefetch reports whether to request the next page before yielding entry i of count.
//
// During the first page, some entries are yielded before that, so that a caller who leaves the loop soon
// causes only one request. A local store needs no prefetch.
func (l *listOp) shouldPrefetch(isFirst bool, i, count int) bool {
	if l.op.engine.desc.Local {
		return false
	}
	if isFirst {
		return i == max(1, count/untilPrefetch)
	}
	return i == 0
}

// prefetch starts to fetch the page that token names, with at most limit entries, in a goroutine. The
// method next waits for it.
func (l *listOp) prefetch(ctx context.Context, token string, limit int) *pagePrefetch {
	p := &pagePrefetch{}
	ctx, p.cancel = context.WithCancel(ctx)
	req := l.req
	req.Token = token
	req.Limit = limit
	// The caller still reads the memory of the present page, so use that of the page before.
	req.Entries = l.spare
	l.spare = nil

	p.group.Go(func() {
		p.page, p.err = l.fetch(ctx, &req, &l.progress)
	}, nil)
	return p
}

// next returns the prefetched page, or requests the page of l.req if p is nil, because nothing was
// prefetched.
func (l *listOp) next(ctx context.Context, p *pagePrefetch) (*storage.Page, *storage.Error) {
	if p == nil {
		return l.page(ctx)
	}

	// Wait for the goroutine of the prefetch. If it has panicked, Raise panics with the same value.
	p.group.Join()
	p.cancel()
	p.group.Raise()
	if p.err != nil {
		return nil, p.err
	}

	// The caller has read the page before, so the next prefetch may reuse its memory.
	l.spare = l.req.Entries
	if err := l.filter(p.page); err != nil {
		return nil, err
	}
	return p.page, nil
}

// stop cancels the prefetch and waits for its goroutine.
func (p *pagePrefetch) stop() {
	if p == nil {
		return
	}
	p.cancel()
	p.group.Wait()
}
