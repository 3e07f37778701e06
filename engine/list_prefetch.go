package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/panics"
)

// A pagePrefetch is the next page, which is fetched while the current one is read.
type pagePrefetch struct {
	cancel context.CancelFunc
	done   chan struct{}
	page   *storage.Page
	e      *storage.Error
	caught panics.Caught
}

// untilPrefetch is the share of the first page that a caller reads before the next page is
// fetched: one in so many entries.
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

// prefetch begins to fetch the page of token, with size entries, or left entries if that is
// less. left is below 1 if there is no limit.
func (l *listOp) prefetch(ctx context.Context, token string, size, left int) *pagePrefetch {
	n := &pagePrefetch{done: make(chan struct{})}
	ctx, n.cancel = context.WithCancel(ctx)
	r := l.req
	r.Token, r.Entries, r.Limit = token, l.spare, size
	if left > 0 {
		r.Limit = min(size, left)
	}
	l.spare = nil
	go func() {
		defer close(n.done)
		n.caught.Do(func() { n.page, n.e = l.fetch(ctx, &r, &l.progress) }, nil)
	}()
	return n
}

// next returns the prefetched page or, if there is none, requests the one of l.req.
func (l *listOp) next(ctx context.Context, n *pagePrefetch) (*storage.Page, *storage.Error) {
	if n == nil {
		return l.page(ctx)
	}
	<-n.done
	n.cancel()
	n.caught.Raise()
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
	<-n.done
	n.caught.Raise()
}

// maxEmptyPages is how many pages in a row may add nothing to a listing, if the driver does not
// declare more.
const maxEmptyPages = 100

// A pageProgress checks that the pages of a listing come to an end, whatever a server sends.
type pageProgress struct {
	last  string // the last entry of the last page that had any
	empty int    // pages since then
	pages int    // so far
	mark  string // token of a page so far, a later one as the pages double
}

var errRepeats = &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errors.New("the provider repeated a page of the listing")}

// check takes the tokens of a page and of the next one, and what identifies the last entry of
// the page; "" if it has none.
func (p *pageProgress) check(desc *driver.Description, token, next, last string) *storage.Error {
	switch {
	case next == "":
		*p = pageProgress{}
		return nil
	case next == token, next == p.mark:
		return errRepeats
	}
	if p.pages++; p.pages&(p.pages-1) == 0 {
		p.mark = next
	}
	if last != "" && last != p.last {
		p.last, p.empty = last, 0
		return nil
	}
	most := desc.MaxEmptyPages
	if most == 0 {
		most = maxEmptyPages
	}
	if p.empty++; p.empty < most {
		return nil
	}
	return &storage.Error{Code: storage.Unavailable, Err: fmt.Errorf("the listing has brought %d pages without a new entry, and names another page", most)}
}
