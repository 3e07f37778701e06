package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectkey"
)

// ListPage returns one page of the listing. token is "" or the Token of the page before.
func (b bucket) ListPage(ctx context.Context, token string, opts *storage.ListOptions) (*storage.Page, error) {
	l := &listOp{}
	checkErr := l.open(b.engine, "ListPage", opts)
	if checkErr == nil {
		checkErr = l.openPage(token)
	}
	page, err := run(ctx, &l.op, checkErr, l.onePage)
	if page != nil && page.Entries == nil {
		// JSON must have [] and not null.
		page.Entries = []storage.ListEntry{}
	}
	return page, err
}

// onePage returns one page. It needs several requests if the driver's pages are too short, or have
// entries that the caller did not ask for.
func (l *listOp) onePage(ctx context.Context) (*storage.Page, *storage.Error) {
	l.startFromPrefix()
	size := l.req.Limit
	if l.mustDerive() {
		return l.pageDerived(ctx, size)
	}

	// Some drivers return a token even with a full last page. Ask these for one more entry than the
	// page has: if it exists, there is a next page. A page of the maximum size has no room for it.
	asksForNext := l.op.engine.desc.TokenAfterLast && !l.anyOrder
	if asksForNext {
		l.req.Limit = min(size+1, maxPage(l.op.engine))
	}
	asksForMore := l.req.Limit > size
	firstToken := l.req.Token
	page, err := l.fillPage(ctx, size, asksForNext)
	if err != nil {
		return nil, err
	}

	if len(page.Entries) > size && asksForMore && !l.startsAfter() {
		// The next page must begin with the additional entry. The driver's token continues after it,
		// and this store cannot begin at a key. So request the page again without that entry, for a
		// token that continues with it.
		l.restart(firstToken, size)
		asksForNext = false
		page, err = l.fillPage(ctx, size, asksForNext)
		if err != nil {
			return nil, err
		}
	}

	// Azure's driver may also return more entries than were asked for, because it has to sort them.
	if len(page.Entries) > size && !l.anyOrder {
		page.Entries = page.Entries[:size]
		page.Token = sealKey(l, page.Entries[size-1].Key)
		return page, nil
	}
	page.Token = seal(l, page.Token)
	return page, nil
}

// fillPage joins pages of the driver until they have enough entries for a page of size entries, or
// more. If asksForNext is true, it continues until they also show whether another entry follows.
func (l *listOp) fillPage(ctx context.Context, size int, asksForNext bool) (*storage.Page, *storage.Error) {
	var entries []storage.ListEntry // of the driver's pages so far
	for {
		page, err := l.page(ctx)
		if err != nil {
			return nil, err
		}

		if entries != nil {
			page.Entries = append(entries, page.Entries...)
		}

		// Stop at the last page, or at an entry of the page after this one.
		isLast := page.Token == ""
		hasNext := len(page.Entries) > size
		if isLast || hasNext {
			return page, nil
		}
		if !asksForNext && l.isComplete(page, size) {
			return page, nil
		}

		// Request the rest of the page. If it must show whether another entry follows, the limit stays as
		// onePage has set it.
		entries = page.Entries
		l.req.Token = page.Token
		if !asksForNext {
			l.req.Limit = size - len(entries)
		}
	}
}

// restart lets the next request begin at token again, and ask for size entries.
func (l *listOp) restart(token string, size int) {
	l.req.Token = token
	l.req.Limit = size
	l.last = ""
	l.progress = pageProgress{}
}

// isComplete reports whether a page has enough entries for the caller: at least one, or size entries
// if the driver's pages also have entries that the caller did not ask for.
func (l *listOp) isComplete(page *storage.Page, size int) bool {
	if len(page.Entries) == 0 {
		return false
	}
	if l.anyOrder {
		// A page of a store without an order may be short. Completing the page could take one
		// request for each missing entry.
		return true
	}
	return !l.readsMore() || len(page.Entries) >= size
}

// openPage makes the request begin where the token says, or fails if the token is not one of this
// listing.
func (l *listOp) openPage(token string) *storage.Error {
	l.req.Limit = l.pageSize()
	if token == "" {
		return nil
	}

	// A token is a mark and what the functions seal and sealKey have put after it. The mark is a hash of
	// that and of the listing, so it shows whether the token is of this listing.
	refusal := invalid("token", "must be one that ListPage gave for the same prefix and delimiter")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < markBytes {
		return refusal
	}
	mark := string(raw[:markBytes])
	rest := string(raw[markBytes:])

	// A token of seal has the driver's token after the mark, which is never "".
	if rest != "" && mark == pageMark(l, rest, driverToken) {
		l.req.Token = rest
		return nil
	}

	// A token of sealKey has a key, without the prefix of the listing. It is "" if the last key of
	// the page before was the prefix itself. A store that lists in any order cannot continue at a key.
	isKeyToken := mark == pageMark(l, rest, afterKey)
	isKey := len(rest) <= objectkey.MaxBytes && utf8.ValidString(rest)
	if l.anyOrder || !isKeyToken || !isKey {
		return refusal
	}
	l.req.StartAfter = l.req.Prefix + rest
	l.after = l.req.StartAfter
	return nil
}

// seal returns the driver's token, preceded by a mark that binds it to this listing, or "" if there
// is no next page.
func seal(l *listOp, token string) string {
	if token == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(pageMark(l, token, driverToken) + token))
}

// sealKey returns a token that continues after key. It is used if the page was shortened: the
// driver's token would skip the entries that were removed from the page. The token contains the key
// without the prefix of the listing, because the client that gets the token may not be allowed to
// know the prefix.
func sealKey(l *listOp, key string) string {
	rest := key[len(l.req.Prefix):]
	return base64.RawURLEncoding.EncodeToString([]byte(pageMark(l, rest, afterKey) + rest))
}

const (
	markBytes = 8
	// The kinds of tokens: those of seal hold the driver's token, and those of sealKey a key.
	driverToken = ""
	afterKey    = "key"
)

// pageMark returns a mark by which a token of another listing, or a changed one, is detected. It has
// no secret, because a forged token can only start the listing at another place. kind is driverToken
// or afterKey.
func pageMark(l *listOp, token, kind string) string {
	parts := []string{l.op.engine.desc.Provider, l.req.Prefix, l.req.Delimiter, token}
	if kind != driverToken {
		parts = append(parts, kind)
	}

	// The length before each part keeps the parts apart.
	var joined []byte
	for _, part := range parts {
		joined = binary.AppendUvarint(joined, uint64(len(part)))
		joined = append(joined, part...)
	}
	sum := sha256.Sum256(joined)
	return string(sum[:markBytes])
}
