package storage

import (
	"cmp"
	"context"
	"iter"
)

// failing is a listing that only fails.
func failing[E any](err error) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		yield(none, err)
	}
}

// A PageLister is a bucket that lists pages.
type PageLister interface {
	ListPage(ctx context.Context, token string, opts ...ListOption) (*Page, error)
}

// ListPage lists the page after the one that returned token; "" is the first page. A page
// has at most [WithPageSize] entries, by default 100; only the last page may be empty. The
// token, a key if b is no [PageLister], belongs to one prefix and delimiter. It may pass
// through a client: a changed one cannot reach other keys. [WithStartAfter] fits only the
// first page, [WithLimit] none.
func ListPage(ctx context.Context, b Lister, token string, opts ...ListOption) (*Page, error) {
	if l, ok := find[PageLister](b); ok {
		return l.ListPage(ctx, token, opts...)
	}
	return listForeignPage(ctx, b, token, opts)
}

// listForeignPage lists a page of a foreign Lister, and one entry more to know whether
// it is the last page. It passes no limit: the Lister may count entries that it hides.
func listForeignPage(ctx context.Context, b Lister, token string, opts []ListOption) (*Page, error) {
	var r ListOptions
	if err := r.ApplyPage(token, opts...); err != nil {
		return nil, located(b, "ListPage", "", ownError(err))
	}
	size := r.PageSize
	r.PageSize = size + 1
	if token != "" {
		r.StartAfter = token
	}
	page := &Page{Entries: []ListEntry{}}
	for entry, err := range b.List(ctx, wholeList(r)) {
		if err != nil {
			return nil, err
		}
		if len(page.Entries) == size {
			page.Token = page.Entries[size-1].Key
			break
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// ApplyPage is Apply for a PageLister. PageSize is 100 without [WithPageSize].
func (r *ListOptions) ApplyPage(token string, opts ...ListOption) error {
	err := r.Apply(opts...)
	switch {
	case err != nil:
		return err
	case r.Limit > 0:
		return invalid("WithLimit", "does not fit ListPage, which takes WithPageSize")
	case token != "" && r.StartAfter != "":
		return invalid("WithStartAfter", "does not fit beside a token")
	}
	r.PageSize = cmp.Or(r.PageSize, 100)
	return nil
}

// A Versioner is a bucket that tells its versions.
type Versioner interface {
	Versions(ctx context.Context, opts ...ListOption) iter.Seq2[VersionEntry, error]
}

// Versions yields the kept versions under a prefix, by key, the newest first. It takes
// [WithPrefix], [WithLimit], [WithPageSize] and [WithSoftDeleted].
func Versions(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[VersionEntry, error] {
	v, e := need[Versioner](b, "Versions", "")
	if e != nil {
		return failing[VersionEntry](e)
	}
	return v.Versions(ctx, opts...)
}
