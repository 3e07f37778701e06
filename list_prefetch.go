package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/panics"
)

// A pagePrefetch is the next page on its way while the one before it is read.
type pagePrefetch struct {
	cancel context.CancelFunc
	done   chan struct{}
	page   *Page
	e      *Error
	caught panics.Caught
}

// aheadAt reports whether the next page is asked for at entry i of count: in
// the middle, so that who leaves a loop early has cost no request more. An
// answer from this machine is not waited for.
func (l *listOp) shouldPrefetch(i, count int) bool {
	return i > 0 && i == count/2 && !l.op.core.desc.Local
}

// ahead asks for the page of token: of size entries, or of fewer where no more
// than left are wanted, which is below 1 where there is no limit.
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
		n.caught.Do(func() { n.page, n.e = l.fetch(ctx, &r) }, nil)
	}()
	return n
}

// next is the page that is on its way, else the one that l.req asks for now.
func (l *listOp) next(ctx context.Context, n *pagePrefetch) (*Page, *Error) {
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

// stop waits until nothing is on its way.
func (n *pagePrefetch) stop() {
	if n == nil {
		return
	}
	n.cancel()
	<-n.done
	n.caught.Raise()
}
