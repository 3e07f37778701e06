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

func (b bucket) ListPage(ctx context.Context, token string, opts *storage.ListOptions) (*storage.Page, error) {
	l := &listOp{}
	e := l.open(b.engine, "ListPage", opts)
	if e == nil {
		e = l.openPage(token)
	}
	page, err := run(ctx, &l.op, e, l.onePage)
	if page != nil && page.Entries == nil {
		// JSON must have [] and not null.
		page.Entries = []storage.ListEntry{}
	}
	return page, err
}

// onePage returns one page. It makes more than one request if the driver's pages have too few
// entries, or have entries that the caller did not ask for.
func (l *listOp) onePage(ctx context.Context) (*storage.Page, *storage.Error) {
	l.startFromPrefix()
	size := l.req.Limit
	if l.mustDerive() {
		return l.pageDerived(ctx, size)
	}

	unsure := l.op.engine.desc.TokenAfterLast && !l.anyOrder
	// Ask for one more entry than the page has: if it exists, there is a next page.
	if unsure {
		l.req.Limit = min(size+1, maxPage(l.op.engine))
	}

	begin := l.req.Token
	exact := l.req.Limit == size
	var before []storage.ListEntry
	for {
		page, e := l.page(ctx)
		if e != nil {
			return nil, e
		}
		if before != nil {
			page.Entries = append(before, page.Entries...)
		}
		if len(page.Entries) > size && !exact && !l.startsAfter() {
			l.req.Token = begin
			l.req.Limit = size
			l.last = ""
			l.progress = pageProgress{}
			// The driver has returned one entry more than the page may have. The driver's token
			// continues after that entry. The next page must begin with that entry, but this store
			// cannot begin at a key. Request the page again, without the additional entry. The new
			// token is the right one for the next page.
			before = nil
			unsure = false
			exact = true
			continue
		}
		// Azure's driver may also return more entries than were asked for, because it has to sort them.
		if len(page.Entries) > size && !l.anyOrder {
			page.Entries = page.Entries[:size]
			page.Token = sealKey(l, page.Entries[size-1].Key)
			return page, nil
		}
		short := len(page.Entries) == 0 ||
			// A page of a store without an order may be short. Completing the page could take one
			// request for each missing entry.
			l.readsMore() && len(page.Entries) < size && !l.anyOrder
		if page.Token == "" || !short && !unsure {
			page.Token = seal(l, page.Token)
			return page, nil
		}
		before = page.Entries
		l.req.Token = page.Token
		if !unsure {
			l.req.Limit = size - len(before)
		}
	}
}

func (l *listOp) openPage(token string) *storage.Error {
	l.req.Limit = l.pageSize()
	if token == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(raw) >= markBytes {
		rest := string(raw[markBytes:]) // "" if the last key of the page before was the prefix itself
		mark := string(raw[:markBytes])
		if rest != "" && mark == pageMark(l, rest) {
			l.req.Token = rest
			return nil
		}
		if !l.anyOrder && mark == pageMark(l, rest, afterKey) && len(rest) <= objectkey.MaxBytes && utf8.ValidString(rest) {
			l.req.StartAfter = l.req.Prefix + rest
			l.after = l.req.StartAfter
			return nil
		}
	}
	return invalid("token", "must be one that ListPage gave for the same prefix and delimiter")
}

// seal returns the driver's token with a mark in front. The mark binds it to this listing
// (pageMark).
func seal(l *listOp, token string) string {
	if token == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(pageMark(l, token) + token))
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
	afterKey  = "key" // distinguishes the tokens of sealKey from those of seal
)

// pageMark returns a mark that binds a token to the provider, prefix and delimiter, and shows
// whether the token was changed. The mark is no protection against forging: a forged token can only
// start the listing at another place.
func pageMark(l *listOp, token string, kind ...string) string {
	var joined []byte
	for _, part := range append([]string{l.op.engine.desc.Provider, l.req.Prefix, l.req.Delimiter, token}, kind...) {
		joined = binary.AppendUvarint(joined, uint64(len(part)))
		joined = append(joined, part...)
	}
	sum := sha256.Sum256(joined)
	return string(sum[:markBytes])
}
