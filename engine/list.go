package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/keyrule"
)

// A listing consists of pages of the driver. A listOp requests them (fetch), checks that they come to
// an end (pageProgress), and drops the entries that were not asked for (ascend). An entry that comes
// late ends the listing (outOfOrder).
//
// List yields the entries, and requests the next page meanwhile (list_entries.go). ListPage returns
// one page, with a token for the next one (list_page.go). If the store lists folder by folder, or does
// not support the delimiter, the entries are derived from other listings (list_walk.go).

const defaultMaxPage = 1000

// A listOp is one call that lists.
type listOp struct {
	op    operation
	given storage.ListOptions
	req   driver.ListRequest
	last  string // the greatest key or prefix that was listed so far
	// after is the key of WithStartAfter or of a token. Entries up to it are dropped, also if the
	// driver is not asked to.
	after    string
	anyOrder bool // the store lists in no order
	// spare is the memory of the previous page.
	spare    []storage.ListEntry
	progress pageProgress
}

// outOfOrder returns the error that ends a listing out of order. A caller that merges listings, or resumes
// one after its greatest key, would miss a key that comes late.
func outOfOrder(c *core) *storage.Error {
	return unsupported(
		"the store does not list keys in byte order",
		cmp.Or(
			c.desc.OrderHint,
			"report this to the author of the driver of "+c.desc.Provider+": it must list in byte order, or declare FolderOrder",
		),
	)
}

// open checks the request.
func (l *listOp) open(c *core, op string, given *storage.ListOptions) *storage.Error {
	r := &l.req
	l.given = *given
	r.Prefix, r.Delimiter, r.StartAfter = l.given.Prefix, l.given.Delimiter, l.given.StartAfter
	if e := l.op.prepare(c, op, r.Prefix); e != nil {
		return e
	}
	if given.PageSize < 0 || given.Limit < 0 {
		return invalid("ListOptions", "must have no negative PageSize or Limit")
	}
	if r.SoftDeleted = l.given.SoftDeleted; r.SoftDeleted && op != "Versions" {
		return invalid("WithSoftDeleted", "fits only Versions and Restore")
	}
	for _, text := range [...]struct{ option, value string }{
		{"WithPrefix", r.Prefix}, {"WithDelimiter", r.Delimiter}, {"WithStartAfter", r.StartAfter},
	} {
		value := strings.TrimPrefix(text.value, given.View)
		if len(value) > keyrule.MaxBytes || !utf8.ValidString(value) {
			return invalid(text.option, "must be UTF-8 of at most 1,024 bytes")
		}
	}
	if e := c.checkLeadingSlash(r.Prefix); e != nil {
		return e
	}
	l.after = r.StartAfter
	if l.anyOrder = op != "Versions" && !c.has(storage.OrderedListing); l.anyOrder {
		return l.checkAnyOrder()
	}
	return nil
}

// checkAnyOrder refuses what only a store that lists in an order can do.
func (l *listOp) checkAnyOrder() *storage.Error {
	switch {
	case !l.given.AnyOrder:
		return unsupported("this store lists in no order", "list with WithAnyOrder, if entries may come in any order")
	case l.after != "":
		return unsupported(
			"this store lists in no order, so that WithStartAfter has no meaning",
			"list without it, or continue by the token of ListPage",
		)
	case l.rolls():
		return unsupported("this store does not support the delimiter "+strconv.Quote(l.req.Delimiter), `use "/"`)
	}
	return nil
}

// maxPage returns how many entries one page can have.
func maxPage(c *core) int {
	return cmp.Or(c.desc.MaxPage, defaultMaxPage)
}

// pageSize returns how many entries one request asks for.
func (l *listOp) pageSize() int {
	return min(cmp.Or(l.given.PageSize, defaultMaxPage), maxPage(l.op.core))
}

// limitOf returns how many entries a request asks for if WithLimit leaves remaining entries; remaining is
// below 1 without that option. If pages have entries that the caller did not ask for, a request asks for
// a whole page.
func (l *listOp) limitOf(remaining int) int {
	if remaining < 1 || l.readsMore() {
		return l.pageSize()
	}
	return min(l.pageSize(), remaining)
}

// A listing begins in the middle only if the store is known to list everything from there. A server
// that lists like a directory tree has all of "a/…" before "a-b": asked for what follows "a-b", it
// leaves out "a/…". Read from the start, a listing in another order fails (outOfOrder), and no other
// is incomplete.

// startFromPrefix makes the listing begin at the start of its prefix, if it must not begin in the
// middle. The entries up to WithStartAfter are then dropped here.
func (l *listOp) startFromPrefix() {
	if !l.startsAfter() {
		l.req.StartAfter = ""
	}
}

// startsAfter reports whether the store is known to list everything after a key.
func (l *listOp) startsAfter() bool {
	d := &l.op.core.desc
	return d.FolderOrder || d.StartsAfter == nil || d.StartsAfter()
}

// readsMore reports whether pages have entries that the caller did not ask for.
func (l *listOp) readsMore() bool {
	return l.after != "" && l.req.StartAfter == "" || l.prefixOf(&l.req) != l.req.Prefix
}

// prefixOf returns the prefix of a request to the driver.
func (l *listOp) prefixOf(r *driver.ListRequest) string {
	if l.op.core.desc.FolderPrefixes {
		return r.Prefix[:strings.LastIndex(r.Prefix, folderDelimiter)+1]
	}
	return r.Prefix
}

const folderDelimiter = "/"

// derives reports whether derive makes the entries, and not the driver's pages.
func (l *listOp) derives() bool { return l.op.core.desc.FolderOrder || l.rolls() }

// rolls reports whether the store does not support the delimiter.
func (l *listOp) rolls() bool {
	d := &l.op.core.desc
	return (d.FolderOrder || d.SlashDelimiter) && l.req.Delimiter != "" && l.req.Delimiter != folderDelimiter
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
func (l *listOp) fetch(
	ctx context.Context, r *driver.ListRequest, progress *pageProgress,
) (*storage.Page, *storage.Error) {
	prefix := l.prefixOf(r)
	if prefix != r.Prefix {
		folder := *r
		folder.Prefix = prefix
		r = &folder
	}
	page, e := request(
		ctx, &l.op, func(ctx context.Context) (*storage.Page, error) { return l.op.core.driver.List(ctx, r) },
	)
	if e == nil {
		last := ""
		for i := len(page.Entries) - 1; i >= 0 && last == ""; i-- {
			if key := page.Entries[i].Key; strings.HasPrefix(key, prefix) { // keys with another prefix are dropped
				last = key
			}
		}
		e = progress.check(&l.op.core.desc, r.Token, page.Token, last)
		if e == errRepeats && r.Delimiter != "" &&
			r.Delimiter != folderDelimiter { // as MinIO does, if nothing says that it is MinIO
			d := l.op.core.driver.Describe()
			e = unsupported(
				d.Provider+" does not support the delimiter "+strconv.Quote(r.Delimiter)+" here", d.FeatureHint,
			)
		}
	}
	return page, e
}

// filter drops from a page the entries that the caller must not get.
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
		if entry.Key < l.last && !l.anyOrder {
			return outOfOrder(l.op.core)
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
	return entry.Key > l.after && entry.Key != l.given.View
}

// rollsUp reports whether the entry is an object whose key is its own common prefix: some
// servers send both.
func rollsUp(entry *storage.ListEntry, r *driver.ListRequest) bool {
	return r.Delimiter != "" && !entry.IsPrefix && len(entry.Key) > len(r.Prefix) &&
		strings.HasSuffix(entry.Key[len(r.Prefix):], r.Delimiter)
}

// revisionBlock is how many bytes of revisions share one allocation. A caller that keeps an
// entry keeps no more of its page than one block.
const revisionBlock = 4 << 10

// entriesToUser tags the revisions.
func (l *listOp) entriesToUser(entries []storage.ListEntry) {
	if l.op.core.desc.TaggedRevisions {
		return
	}
	tag, remaining := l.op.core.tag, 0 // bytes of revisions
	for i := range entries {
		remaining += len(tag) + len(entries[i].Revision)
	}
	var block strings.Builder
	for i := range entries {
		entry := &entries[i]
		need := len(tag) + len(entry.Revision)
		if entry.Revision != "" {
			if block.Cap()-block.Len() < need {
				block = strings.Builder{}
				block.Grow(max(need, min(remaining, revisionBlock)))
			}
			start := block.Len()
			block.WriteString(tag)
			block.WriteString(entry.Revision)
			entry.Revision = block.String()[start:]
		}
		remaining -= need
	}
}

// eachPage calls page for each page of a listing that comes to an end: with its token, which is "" for
// the first one. page returns the token of the next page, or "" to end the listing, and a text that
// identifies the last entry, or "" if there is no entry.
func eachPage(
	ctx context.Context, desc *driver.Description, page func(token string) (next, last string, e *storage.Error),
) *storage.Error {
	var progress pageProgress
	for token := ""; ; {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		next, last, e := page(token)
		if e == nil {
			e = progress.check(desc, token, next, last)
		}
		if e != nil || next == "" {
			return e
		}
		token = next
	}
}

// maxEmptyPages is how many pages in a row may add nothing to a listing, if the driver does not
// declare more.
const maxEmptyPages = 100

// A pageProgress checks that the pages of a listing come to an end, whatever a server sends.
type pageProgress struct {
	last  string // the last entry of the last page that had any
	empty int    // how many pages have come since then
	pages int    // how many pages have come
	mark  string // the token of an earlier page; a later one replaces it when the number of pages doubles
}

var errRepeats = &storage.Error{
	Code: storage.Unavailable, Retryable: true, Err: errors.New("the provider repeated a page of the listing"),
}

// check takes the tokens of a page and of the next one, and a text that identifies the last
// entry of the page, or "" if it has no entry.
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
	limit := cmp.Or(desc.MaxEmptyPages, maxEmptyPages)
	if p.empty++; p.empty < limit {
		return nil
	}
	return &storage.Error{
		Code: storage.Unavailable,
		Err:  fmt.Errorf("the listing has brought %d pages without a new entry, and names another page", limit),
	}
}
