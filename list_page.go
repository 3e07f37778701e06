package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"unicode/utf8"
)

// ListPage lists one page of at most WithPageSize entries (default 100) from
// token on; only the last may be empty. WithLimit, or WithStartAfter beside a
// token, is InvalidArgument; so is a token of another prefix or delimiter, or
// none of ours. A token may travel through a client: it can only move the
// start. On a Lister that is not ours the token is a key.
func ListPage(ctx context.Context, b Lister, token string, opts ...ListOption) (*Page, error) {
	own, ok := b.(*bucket)
	if !ok {
		return listForeignPage(ctx, b, token, opts)
	}
	l := &listOp{}
	e := l.open(own, "ListPage", opts)
	if e == nil {
		e = l.openPage(token)
	}
	if e != nil {
		return nil, l.op.end(e)
	}
	ctx, e = l.op.begin(ctx)
	if e != nil {
		return nil, l.op.end(e)
	}
	size := l.req.Limit
	if l.derives() {
		page, e := l.pageDerived(ctx, size)
		return page, l.op.end(e)
	}
	unsure := l.op.core.desc.TokenAfterLast
	if unsure { // only an entry after the page proves that there is one
		l.req.Limit = min(size+1, l.op.core.maxPage())
	}
	var before []ListEntry
	for {
		page, e := l.page(ctx)
		if e != nil {
			return nil, l.op.end(e)
		}
		if before != nil {
			page.Entries = append(before, page.Entries...)
		}
		if len(page.Entries) > size { // Azure's driver returns more where it has to sort
			page.Entries = page.Entries[:size]
			page.Token = l.sealKey(page.Entries[size-1].Key)
			return page, l.op.end(nil)
		}
		if page.Token == "" || len(page.Entries) > 0 && !unsure {
			page.Token = l.seal(page.Token)
			return page, l.op.end(nil)
		}
		before, l.req.Token = page.Entries, page.Token
	}
}

func checkPageOptions(r *ListRequest, token string) *Error {
	switch {
	case r.set.limit > 0:
		return invalid("WithLimit", "does not fit ListPage, which takes WithPageSize")
	case token != "" && r.StartAfter != "":
		return invalid("WithStartAfter", "does not fit beside a token")
	}
	return nil
}

func (l *listOp) openPage(token string) *Error {
	if e := checkPageOptions(&l.req, token); e != nil {
		return e
	}
	l.req.Limit = l.pageSize(defaultPageSize)
	if token == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(raw) > markBytes {
		rest := string(raw[markBytes:])
		switch mark := string(raw[:markBytes]); {
		case mark == l.mark(rest):
			l.req.Token = rest
			return nil
		case mark == l.mark(rest, behindKey) && len(rest) <= maxKeyBytes && utf8.ValidString(rest):
			l.req.StartAfter = l.op.prefix + rest
			l.last = l.req.StartAfter
			return nil
		}
	}
	return invalid("token", "must be one that ListPage gave for the same prefix and delimiter")
}

// seal marks the driver's token with what it belongs to.
func (l *listOp) seal(token string) string {
	if token == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(l.mark(token) + token))
}

// sealKey is a token that goes on behind a key of the view's: of a page that was
// cut, the driver's is of what was cut off.
func (l *listOp) sealKey(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(l.mark(key, behindKey) + key))
}

const (
	markBytes = 8
	behindKey = "key" // tells sealKey's tokens from seal's
)

// mark ties the driver's token to provider, prefix and delimiter, and shows
// that it came back whole. It is no secret: a token can only move the start.
func (l *listOp) mark(token string, kind ...string) string {
	var joined []byte
	for _, part := range append([]string{l.op.core.desc.Provider, l.req.Prefix, l.req.Delimiter, token}, kind...) {
		joined = binary.AppendUvarint(joined, uint64(len(part)))
		joined = append(joined, part...)
	}
	sum := sha256.Sum256(joined)
	return string(sum[:markBytes])
}
