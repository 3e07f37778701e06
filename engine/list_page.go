package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/keyrule"
)

func (b bucket) ListPage(ctx context.Context, token string, given *storage.ListOptions) (*storage.Page, error) {
	l := &listOp{}
	e := l.open(b.core, "ListPage", given)
	if e == nil {
		e = l.openPage(token)
	}
	page, err := run(ctx, &l.op, e, l.onePage)
	if page != nil && page.Entries == nil { // in JSON, no entry is [] and not null
		page.Entries = []storage.ListEntry{}
	}
	return page, err
}

// onePage returns the page that was asked for. It makes more than one request if the driver's pages
// have too few entries, or more than were asked for.
func (l *listOp) onePage(ctx context.Context) (*storage.Page, *storage.Error) {
	l.startFromPrefix()
	size := l.req.Limit
	if l.derives() {
		return l.pageDerived(ctx, size)
	}
	unsure := l.op.core.desc.TokenAfterLast && !l.anyOrder
	if unsure { // an entry after the page proves that there is a next page
		l.req.Limit = min(size+1, maxPage(l.op.core))
	}
	begin, exact := l.req.Token, l.req.Limit == size
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
			l.req.Token, l.req.Limit, l.last, l.progress = begin, size, "", pageProgress{}
			before, unsure, exact = nil, false, true // only the driver's token begins the next page
			continue
		}
		if len(page.Entries) > size && !l.anyOrder { // Azure's driver returns more if it has to sort
			page.Entries = page.Entries[:size]
			page.Token = sealKey(l, page.Entries[size-1].Key)
			return page, nil
		}
		short := len(page.Entries) == 0 ||
			l.readsMore() && len(page.Entries) < size && !l.anyOrder // otherwise it would ask for the rest one by one
		if page.Token == "" || !short && !unsure {
			page.Token = seal(l, page.Token)
			return page, nil
		}
		before, l.req.Token = page.Entries, page.Token
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
	if err == nil && len(raw) > markBytes {
		rest := string(raw[markBytes:])
		switch mark := string(raw[:markBytes]); {
		case mark == pageMark(l, rest):
			l.req.Token = rest
			return nil
		case !l.anyOrder && mark == pageMark(l, rest, afterKey) && len(rest) <= keyrule.MaxBytes && utf8.ValidString(rest):
			l.req.StartAfter = l.req.Prefix + rest
			l.after = l.req.StartAfter
			return nil
		}
	}
	return invalid("token", "must be one that ListPage gave for the same prefix and delimiter")
}

// seal returns the driver's token with a mark of what it belongs to.
func seal(l *listOp, token string) string {
	if token == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(pageMark(l, token) + token))
}

// sealKey returns a token that continues after a key. It has no prefix of the listing, which its holder need not
// know. It is for a page that was cut: the driver's token continues after the entries that were cut off.
func sealKey(l *listOp, key string) string {
	rest := key[len(l.req.Prefix):]
	return base64.RawURLEncoding.EncodeToString([]byte(pageMark(l, rest, afterKey) + rest))
}

const (
	markBytes = 8
	afterKey  = "key" // distinguishes the tokens of sealKey from those of seal
)

// pageMark binds the driver's token to provider, prefix and delimiter, and shows a change of it. It is not a secret: a
// token can only move the start.
func pageMark(l *listOp, token string, kind ...string) string {
	var joined []byte
	for _, part := range append([]string{l.op.core.desc.Provider, l.req.Prefix, l.req.Delimiter, token}, kind...) {
		joined = binary.AppendUvarint(joined, uint64(len(part)))
		joined = append(joined, part...)
	}
	sum := sha256.Sum256(joined)
	return string(sum[:markBytes])
}
