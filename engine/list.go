package engine

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/keyrule"
	"github.com/omnibucket/storage/internal/scope"
)

const defaultMaxPage = 1000

// A listOp is one call that lists.
type listOp struct {
	op    operation
	given storage.ListOptions
	req   driver.ListRequest
	last  string // the greatest key or prefix so far
	// after is the key of WithStartAfter or of a token. Entries up to it are dropped, also if the
	// driver is not asked to.
	after string
	// spare is the memory of the previous page.
	spare    []storage.ListEntry
	progress pageProgress
}

// List yields the matching objects in key order.
func (b *bucket) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		l := &listOp{}
		iterate(ctx, l, l.open(b, "List", opts), l.each, yield)
	}
}

// iterate begins the operation, calls each and ends it with at most one error, which it yields
// last. If the checks before it failed with e, it yields only that.
func iterate[E any](ctx context.Context, l *listOp, e *storage.Error, each func(context.Context, func(E, error) bool) *storage.Error, yield func(E, error) bool) {
	if e == nil {
		ctx, e = l.op.begin(ctx)
	}
	if e == nil {
		e = each(ctx, yield)
	}
	if e == errStopped {
		e = nil
	}
	if err := l.op.end(e); err != nil {
		var none E
		yield(none, err)
	}
}

// errOrder ends a listing that is out of order. A caller that merges listings, or resumes one
// after its greatest key, would miss a key that comes late.
var errOrder = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the store does not list keys in byte order"),
	Hint: "if this is an S3-compatible server that lists like a directory tree, name its profile (profile=seaweedfs), or open it with the Profile that s3probe.Run returns",
}

// errStopped tells that the caller has left the loop.
var errStopped = &storage.Error{Code: storage.Canceled}

// open checks the request, and adds the prefix of the view.
func (l *listOp) open(b *bucket, op string, opts []storage.ListOption) *storage.Error {
	r := &l.req
	applied := l.given.Apply(opts...)
	r.Prefix, r.Delimiter, r.StartAfter = l.given.Prefix, l.given.Delimiter, l.given.StartAfter
	if e := l.op.prepare(b, scope.List, op, r.Prefix); e != nil {
		return e
	}
	if applied != nil {
		return ownError(applied)
	}
	for _, text := range [...]struct{ option, value string }{
		{"WithPrefix", r.Prefix}, {"WithDelimiter", r.Delimiter}, {"WithStartAfter", r.StartAfter},
	} {
		if len(text.value) > keyrule.MaxBytes || !utf8.ValidString(text.value) {
			return invalid(text.option, "must be UTF-8 of at most 1,024 bytes")
		}
	}
	r.Prefix = b.scope.Prefix + r.Prefix
	if e := b.core.checkLeadingSlash(r.Prefix); e != nil {
		return e
	}
	if r.StartAfter != "" {
		r.StartAfter = b.scope.Prefix + r.StartAfter
	}
	l.after = r.StartAfter
	return nil
}

// maxPage returns how many entries one page can have.
func (c *core) maxPage() int {
	if c.desc.MaxPage == 0 {
		return defaultMaxPage
	}
	return c.desc.MaxPage
}

// pageSize returns how many entries one request asks for.
func (l *listOp) pageSize(standard int) int {
	maximum := l.op.core.maxPage()
	size := l.given.PageSize
	if size == 0 {
		size = min(standard, maximum)
	}
	return min(size, maximum)
}

// each yields entry by entry, page by page.
func (l *listOp) each(ctx context.Context, yield func(storage.ListEntry, error) bool) *storage.Error {
	l.startFromPrefix()
	if l.derives() {
		return l.eachDerived(ctx, yield)
	}
	size := l.pageSize(defaultMaxPage)
	left := l.given.Limit
	bounded := left > 0
	var next *pagePrefetch
	defer func() { next.stop() }()
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		l.req.Limit = size
		if bounded && !l.readsFromStart() {
			l.req.Limit = min(size, left)
		}
		page, e := l.next(ctx, next)
		next = nil
		if e != nil {
			return e
		}
		count := len(page.Entries)
		more := page.Token != "" && !(bounded && left <= count)
		for i, entry := range page.Entries {
			if err := ctx.Err(); err != nil {
				return asError(ctx, err)
			}
			if more && l.shouldPrefetch(first, i, count) {
				next = l.prefetch(ctx, page.Token, size, left+i-count)
			}
			if !yield(entry, nil) {
				return errStopped
			}
			if left--; left == 0 {
				return nil
			}
		}
		if !more {
			return nil
		}
		l.req.Token, l.req.Entries = page.Token, page.Entries[:0]
	}
}

// page returns one page of the driver, filtered: in order, without duplicates, and without
// entries outside of the prefix or before the start.
func (l *listOp) page(ctx context.Context) (*storage.Page, *storage.Error) {
	page, e := l.fetch(ctx, &l.req, &l.progress)
	if e == nil {
		e = l.filter(page)
	}
	if e != nil {
		return nil, e
	}
	return page, nil
}

// fetch returns one page as the driver does.
func (l *listOp) fetch(ctx context.Context, r *driver.ListRequest, progress *pageProgress) (*storage.Page, *storage.Error) {
	page, e := request(ctx, &l.op, func(ctx context.Context) (*storage.Page, error) { return l.op.core.driver.List(ctx, r) })
	if e == nil {
		last := ""
		for i := len(page.Entries) - 1; i >= 0 && last == ""; i-- {
			if key := page.Entries[i].Key; strings.HasPrefix(key, r.Prefix) { // others are dropped
				last = key
			}
		}
		e = progress.check(&l.op.core.desc, r.Token, page.Token, last)
		if e == errRepeats && r.Delimiter != "" && r.Delimiter != folderDelimiter { // MinIO, if nothing says that it is MinIO
			d := l.op.core.driver.Describe()
			e = unsupported(d.Provider+" does not support the delimiter "+strconv.Quote(r.Delimiter)+" here", d.FeatureHint)
		}
	}
	return page, e
}

// filter leaves in a page only what the caller gets.
func (l *listOp) filter(page *storage.Page) *storage.Error {
	if e := l.ascend(page, &l.req); e != nil {
		return e
	}
	l.entriesToUser(page.Entries)
	return nil
}

// ascend drops entries that are outside of the prefix, at or before WithStartAfter, or equal to
// the last entry. Any other entry that is not greater than the last one is an error: without
// it, callers would act on an incomplete listing. That holds before WithStartAfter, too: a key
// that comes late there was missed by the caller who continues after it.
func (l *listOp) ascend(page *storage.Page, r *driver.ListRequest) *storage.Error {
	kept := 0
	for i := range page.Entries {
		entry := &page.Entries[i]
		if !strings.HasPrefix(entry.Key, r.Prefix) || entry.Key == l.last {
			continue
		}
		if entry.Key < l.last {
			return errOrder
		}
		l.last = entry.Key
		if !l.wants(entry) {
			continue
		}
		if rollsUp(entry, r) {
			*entry = storage.ListEntry{Key: entry.Key, IsPrefix: true}
		}
		if kept < i {
			page.Entries[kept] = *entry
		}
		kept++
	}
	page.Entries = page.Entries[:kept]
	return nil
}

// wants reports whether an entry of the prefix was asked for. A folder marker with the name of a
// Prefixed view has no key in the view.
func (l *listOp) wants(entry *storage.ListEntry) bool {
	return entry.Key > l.after && (l.op.prefix == "" || entry.Key != l.op.prefix)
}

// rollsUp reports whether the entry is an object whose key is its own common prefix: some
// servers send both.
func rollsUp(entry *storage.ListEntry, r *driver.ListRequest) bool {
	return r.Delimiter != "" && !entry.IsPrefix && len(entry.Key) > len(r.Prefix) && strings.HasSuffix(entry.Key[len(r.Prefix):], r.Delimiter)
}

// revisionBlock is how many bytes of revisions share one allocation. An entry that a caller
// keeps holds no more of its page than that.
const revisionBlock = 4 << 10

// entriesToUser removes the prefix, and tags the revisions.
func (l *listOp) entriesToUser(entries []storage.ListEntry) {
	if l.op.prefix != "" {
		for i := range entries {
			entries[i].Key = entries[i].Key[len(l.op.prefix):]
		}
	}
	if l.op.core.desc.TaggedRevisions {
		return
	}
	tag, left := l.op.core.tag, 0
	for i := range entries {
		left += len(tag) + len(entries[i].Revision)
	}
	var block strings.Builder
	for i := range entries {
		entry := &entries[i]
		need := len(tag) + len(entry.Revision)
		if entry.Revision != "" {
			if block.Cap()-block.Len() < need {
				block = strings.Builder{}
				block.Grow(max(need, min(left, revisionBlock)))
			}
			start := block.Len()
			block.WriteString(tag)
			block.WriteString(entry.Revision)
			entry.Revision = block.String()[start:]
		}
		left -= need
	}
}
