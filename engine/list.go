package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/revisions"
)

// A listing consists of pages of the driver. A listOp requests them (fetch), checks that they come
// to an end (pageProgress), and drops the entries that the caller did not ask for (filterAscending). If an
// entry comes after a greater one, the listing fails (outOfOrder).
//
// List yields the entries, and requests the next page meanwhile (list_entries.go). ListPage returns
// one page, with a token for the next one (list_page.go). If the store lists folder by folder, or
// does not support the delimiter, the entries are derived from other listings (list_walk.go).

const defaultMaxPage = 1000

// A listOp holds the state of one call of List, ListPage or Versions.
type listOp struct {
	op   operation
	opts storage.ListOptions
	req  driver.ListRequest
	last string // the greatest key or prefix that was listed so far
	// The listing yields only entries that are greater than this key, even if the driver returns
	// others. The key comes from WithStartAfter or from a page token.
	after    string
	anyOrder bool // whether the store lists in no particular order
	// spare is the memory of a page that was read. The next page reuses it.
	spare    []storage.ListEntry
	progress pageProgress
}

// outOfOrder returns the error for an entry that is less than an entry before it. A caller that
// resumes a listing after its greatest key would miss such an entry.
func outOfOrder(e *engine) *storage.Error {
	hint := e.desc.OrderHint
	if hint == "" {
		hint = "report this to the author of the driver of " + e.desc.Provider +
			": it must list in byte order, or declare FolderOrder"
	}
	return unsupported("the store does not list keys in byte order", hint)
}

// open begins the listing op by checking the options and copying them into the request.
func (l *listOp) open(e *engine, op string, opts *storage.ListOptions) *storage.Error {
	// Copy the options into the request.
	req := &l.req
	l.opts = *opts
	req.Prefix = opts.Prefix
	req.Delimiter = opts.Delimiter
	req.StartAfter = opts.StartAfter
	req.SoftDeleted = opts.SoftDeleted
	if err := l.op.prepare(e, op, req.Prefix); err != nil {
		return err
	}

	// Refuse options that are invalid or that this store does not support.
	if opts.PageSize < 0 || opts.Limit < 0 {
		return invalid("ListOptions", "must have no negative PageSize or Limit")
	}
	isVersions := op == "Versions"
	if req.SoftDeleted && !isVersions {
		return invalid("WithSoftDeleted", "fits only Versions and Restore")
	}
	if err := l.checkTexts(); err != nil {
		return err
	}
	if err := e.checkLeadingSlash(req.Prefix); err != nil {
		return err
	}

	l.after = req.StartAfter
	// Every store that has versions lists them in order.
	l.anyOrder = !isVersions && !e.has(storage.OrderedListing)
	if l.anyOrder {
		return l.checkAnyOrder()
	}
	return nil
}

// checkTexts checks that the options that are texts are UTF-8 and no longer than a key. The prefix
// of a Prefixed view does not count.
func (l *listOp) checkTexts() *storage.Error {
	view := optionState(&l.opts).View
	texts := [...]struct {
		option string
		value  string
	}{
		{option: "WithPrefix", value: l.req.Prefix},
		{option: "WithDelimiter", value: l.req.Delimiter},
		{option: "WithStartAfter", value: l.req.StartAfter},
	}
	for _, text := range texts {
		value := strings.TrimPrefix(text.value, view)
		isTooLong := len(value) > objectkey.MaxBytes
		if isTooLong || !utf8.ValidString(value) {
			return invalid(text.option, "must be UTF-8 of at most 1,024 bytes")
		}
	}
	return nil
}

// checkAnyOrder refuses a listing that needs an order, because the store has none. The caller must
// also say that any order will do.
func (l *listOp) checkAnyOrder() *storage.Error {
	if !l.opts.AnyOrder {
		return unsupported("this store lists in no order", "list with WithAnyOrder, if entries may come in any order")
	}
	if l.after != "" {
		return unsupported(
			"this store lists in no order, so that WithStartAfter has no meaning",
			"list without it, or continue by the token of ListPage",
		)
	}
	if l.mustRollUp() {
		return unsupported("this store does not support the delimiter "+strconv.Quote(l.req.Delimiter), `use "/"`)
	}
	return nil
}

// maxPage returns how many entries one page can have.
func maxPage(e *engine) int {
	return cmp.Or(e.desc.MaxPage, defaultMaxPage)
}

// pageSize returns the number of entries that one request asks for.
func (l *listOp) pageSize() int {
	return min(cmp.Or(l.opts.PageSize, defaultMaxPage), maxPage(l.op.engine))
}

// maxEntries returns how many entries the listing yields at most: the number of WithLimit, or, without
// that option, a number that no listing reaches.
func (l *listOp) maxEntries() int {
	return cmp.Or(l.opts.Limit, math.MaxInt)
}

// limitOf returns how many entries the next request asks for. remaining is how many the caller still wants. If some
// entries will be dropped, the request asks for a whole page.
func (l *listOp) limitOf(remaining int) int {
	if l.readsMore() {
		return l.pageSize()
	}
	return min(l.pageSize(), remaining)
}

// Some servers list like a directory tree: all keys below "a/" come before "a-b". If such a server
// is asked for keys after "a-b", its response has no keys below "a/". The listing would be
// incomplete, because these keys come after "a-b" in byte order. WithStartAfter is therefore sent
// only to a store that is known to return all later keys. For other stores, the listing begins at
// the start of the prefix. It fails if the entries are not in order.

// startFromPrefix removes StartAfter from the request if the store may leave out keys that come
// after StartAfter. The listing then begins at the start of the prefix. It drops the entries up to
// the key of WithStartAfter.
func (l *listOp) startFromPrefix() {
	if !l.startsAfter() {
		l.req.StartAfter = ""
	}
}

// startsAfter reports whether a request may begin after a key. The store must be known to return
// all later keys.
func (l *listOp) startsAfter() bool {
	d := &l.op.engine.desc
	return d.FolderOrder || d.StartsAfter == nil || d.StartsAfter()
}

// readsMore reports whether pages have entries that the caller did not ask for.
func (l *listOp) readsMore() bool {
	startsEarlier := l.after != "" && l.req.StartAfter == ""
	hasWiderPrefix := l.prefixOf(&l.req) != l.req.Prefix
	return startsEarlier || hasWiderPrefix
}

// prefixOf returns the prefix to send to the driver, which ends at its last slash if the driver lists
// only folders.
func (l *listOp) prefixOf(req *driver.ListRequest) string {
	if l.op.engine.desc.FolderPrefixes {
		return req.Prefix[:strings.LastIndex(req.Prefix, folderDelimiter)+1]
	}
	return req.Prefix
}

const folderDelimiter = "/"

// mustDerive reports whether the engine must compute the entries of the listing. If not, the driver
// returns the entries.
func (l *listOp) mustDerive() bool { return l.op.engine.desc.FolderOrder || l.mustRollUp() }

// mustRollUp reports whether the engine must group keys by the delimiter, because the store supports only
// "/".
func (l *listOp) mustRollUp() bool {
	desc := &l.op.engine.desc
	supportsOnlySlash := desc.FolderOrder || desc.SlashDelimiter
	return supportsOnlySlash && hasOtherDelimiter(&l.req)
}

// hasOtherDelimiter reports whether the request has a delimiter that is not "/".
func hasOtherDelimiter(req *driver.ListRequest) bool {
	return req.Delimiter != "" && req.Delimiter != folderDelimiter
}

// page requests one page, and drops duplicates and the entries that the caller did not ask for.
func (l *listOp) page(ctx context.Context) (*storage.Page, *storage.Error) {
	page, err := l.fetch(ctx, &l.req, &l.progress)
	if err != nil {
		return nil, err
	}
	if err := l.filter(page); err != nil {
		return nil, err
	}
	return page, nil
}

// fetch requests one unfiltered page, and fails if the listing makes no progress.
func (l *listOp) fetch(
	ctx context.Context, req *driver.ListRequest, progress *pageProgress,
) (*storage.Page, *storage.Error) {
	prefix := l.prefixOf(req)
	if prefix != req.Prefix {
		// The driver lists only a wider prefix. Do not change the request of the caller.
		wider := *req
		wider.Prefix = prefix
		req = &wider
	}

	page, err := request(ctx, &l.op, func(ctx context.Context) (*storage.Page, error) {
		return l.op.engine.driver.List(ctx, req)
	})
	if err != nil {
		return nil, err
	}

	// A listing that repeats pages would never end.
	lastKey := lastWithPrefix(page.Entries, prefix)
	if err := progress.check(&l.op.engine.desc, req.Token, page.Token, lastKey); err != nil {
		if err == errRepeats && hasOtherDelimiter(req) {
			// MinIO repeats pages if the delimiter is not "/". The driver may not know that the server
			// is MinIO.
			return nil, l.unsupportedDelimiter(req.Delimiter)
		}
		return nil, err
	}
	return page, nil
}

// unsupportedDelimiter returns the error for a delimiter that the store does not support.
func (l *listOp) unsupportedDelimiter(delimiter string) *storage.Error {
	desc := l.op.engine.driver.Describe()
	return unsupported(desc.Provider+" does not support the delimiter "+strconv.Quote(delimiter)+" here", desc.FeatureHint)
}

// lastWithPrefix returns the key of the last entry that has the prefix, or "" if none has it.
func lastWithPrefix(entries []storage.ListEntry, prefix string) string {
	for i := len(entries) - 1; i >= 0; i-- {
		if key := entries[i].Key; strings.HasPrefix(key, prefix) {
			return key
		}
	}
	return ""
}

// filter drops the entries that the caller did not ask for, and gives the others the revisions that
// the user sees.
func (l *listOp) filter(page *storage.Page) *storage.Error {
	if err := l.filterAscending(page, &l.req); err != nil {
		return err
	}
	l.entriesToUser(page.Entries)
	return nil
}

// filterAscending drops duplicates and the entries that the caller did not ask for. It fails if the
// listing must be in order but an entry is less than the one before it.
//
// Dropped entries are compared, too. If a store lists b before a, a listing up to b and a second one
// after b would both miss a.
func (l *listOp) filterAscending(page *storage.Page, req *driver.ListRequest) *storage.Error {
	count := 0 // of the entries that stay, which move to the front of the page
	for i := range page.Entries {
		entry := &page.Entries[i]
		isDuplicate := entry.Key == l.last
		if isDuplicate || !strings.HasPrefix(entry.Key, req.Prefix) {
			continue
		}

		if entry.Key < l.last && !l.anyOrder {
			return outOfOrder(l.op.engine)
		}
		l.last = entry.Key
		if !l.wants(entry) {
			continue
		}

		// The entry stays, perhaps as the prefix of its folder.
		if rollsUp(entry, req) {
			*entry = storage.ListEntry{Key: entry.Key, IsPrefix: true}
		}
		// Move it, if an entry before it was dropped.
		if count < i {
			page.Entries[count] = *entry
		}
		count++
	}
	page.Entries = page.Entries[:count]
	return nil
}

// wants reports whether the caller asked for an entry that has the prefix. In a Prefixed view, the
// object whose key is the prefix itself would have an empty key, so it is left out.
func (l *listOp) wants(entry *storage.ListEntry) bool {
	return entry.Key > l.after && entry.Key != optionState(&l.opts).View
}

// rollsUp reports whether the entry is an object whose key is itself a common prefix, because it ends
// in the delimiter. Some servers return both.
func rollsUp(entry *storage.ListEntry, req *driver.ListRequest) bool {
	if req.Delimiter == "" || entry.IsPrefix {
		return false
	}
	rest := entry.Key[len(req.Prefix):]
	return rest != "" && strings.HasSuffix(rest, req.Delimiter)
}

// entriesToUser adds the provider's prefix to the revisions of entries.
func (l *listOp) entriesToUser(entries []storage.ListEntry) {
	if !l.op.engine.desc.TaggedRevisions {
		revisions.AddTag(l.op.engine.tag, entries)
	}
}

// eachPage calls page with the token of each page of a listing, and fails if the listing does not
// end. page returns the token of the next page and the key of the last entry, each "" if none.
func eachPage(
	ctx context.Context, desc *driver.Description, page func(token string) (next, last string, err *storage.Error),
) *storage.Error {
	var progress pageProgress
	token := ""
	for {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		next, last, err := page(token)
		if err != nil {
			return err
		}
		if err := progress.check(desc, token, next, last); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		token = next
	}
}

// maxEmptyPages is the number of pages in a row that may have no new entry, unless the driver
// declares another number.
const maxEmptyPages = 100

// A pageProgress checks that a listing comes to an end, even if a faulty server repeats pages or
// returns empty ones.
type pageProgress struct {
	last  string // the last entry of the last page that had any entry
	empty int    // number of pages without a new entry since the last page that had one
	pages int    // number of pages so far
	// mark is the token of an earlier page. If the store returns the same token again, the listing
	// fails, because the store repeats pages. The method check replaces mark by the newest token
	// after page 1, 2, 4, 8 and so on. So mark finds a cycle of any length, and needs one token.
	mark string
}

var errRepeats = &storage.Error{
	Code:      storage.Unavailable,
	Retryable: true,
	Err:       errors.New("the provider repeated a page of the listing"),
}

// check fails if the listing repeats pages, or has too many pages in a row without a new entry, so that
// no listing is endless. token is that of the page, next that of the next page, and last the key of the
// last entry, each "" if none.
func (p *pageProgress) check(desc *driver.Description, token, next, last string) *storage.Error {
	isLastPage := next == ""
	if isLastPage {
		*p = pageProgress{}
		return nil
	}

	// Neither this page nor the one with the mark may come again.
	if next == token || next == p.mark {
		return errRepeats
	}

	// Compare later tokens with that of page 1, 2, 4, 8 and so on. In time, the distance between two
	// such pages is longer than any cycle of tokens.
	p.pages++
	isPowerOfTwo := p.pages&(p.pages-1) == 0
	if isPowerOfTwo {
		p.mark = next
	}

	hasNewEntry := last != "" && last != p.last
	if hasNewEntry {
		p.last = last
		p.empty = 0
		return nil
	}

	// The page brought no new entry, which too many in a row must not do.
	limit := cmp.Or(desc.MaxEmptyPages, maxEmptyPages)
	p.empty++
	if p.empty < limit {
		return nil
	}
	return &storage.Error{
		Code: storage.Unavailable,
		Err:  fmt.Errorf("the listing has brought %d pages without a new entry, and names another page", limit),
	}
}
