package storage

import (
	"cmp"
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage/internal/core/scope"
)

// ListPage lists one page, for user interfaces that show one page at a time. If token is "", it
// lists the first page, and otherwise the page after the one that returned token. A page has at
// most [WithPageSize] entries, by default 100. Only the last page may be empty. [WithStartAfter] is
// only permitted for the first page, and [WithLimit] never.
//
// A token is only valid with the same prefix and delimiter. A server may send it to its client and
// get it back. A client that changes the token cannot list keys outside the prefix.
func ListPage(ctx context.Context, b Lister, token string, opts ...ListOption) (*Page, error) {
	f, err := frontOf(b, "ListPage", "")
	if err != nil {
		return nil, err
	}
	o := &ListOptions{}
	optsErr := o.ApplyPage(token, opts...)
	if err := f.checkAllowed(scope.List, optsErr); err != nil {
		op := Operation{Name: "ListPage", Key: f.scope.Prefix + o.Prefix}
		return nil, f.refuse(ctx, op, locateError(f, "ListPage", o.Prefix, err))
	}

	f.addPrefix(o)
	// Usually one request is enough. A page that is empty without its folder marker needs another.
	for {
		page, err := f.listPage(ctx, token, o)
		if err != nil {
			return nil, err
		}
		isLast := page.Token == ""
		if len(page.Entries) > 0 || isLast {
			return page, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, locateError(f, "ListPage", "", AsError(ctx, err))
		}

		// The page had only the view's folder marker, so read the next one.
		token = page.Token
		o.StartAfter = ""
	}
}

// listPage returns one page of the Core, with keys as the caller of the bucket sees them.
func (f *front) listPage(ctx context.Context, token string, o *ListOptions) (*Page, error) {
	page, err := f.core.ListPage(ctx, token, o)
	if err != nil {
		return nil, f.errorInView(err)
	}
	if page == nil {
		return nil, f.noAnswer("ListPage", "")
	}
	isRepeated := page.Token != "" && page.Token == token
	if isRepeated {
		// The Core would return the same page without end.
		return nil, f.noAnswer("ListPage", "")
	}
	if err := f.trimPage(page); err != nil {
		return nil, err
	}
	return page, nil
}

// trimPage removes the prefix of f from the keys of a page, and leaves out the folder marker of the
// prefix itself.
func (f *front) trimPage(page *Page) error {
	if f.scope.Prefix == "" {
		return nil
	}
	remaining := page.Entries[:0]
	for _, entry := range page.Entries {
		isFolderMarker, err := f.trimPrefix("ListPage", &entry.Key)
		if err != nil {
			return err
		}
		if !isFolderMarker {
			remaining = append(remaining, entry)
		}
	}
	page.Entries = remaining
	return nil
}

// ApplyPage is Apply for ListPage. PageSize is 100 if [WithPageSize] is not given.
func (r *ListOptions) ApplyPage(token string, opts ...ListOption) error {
	if err := r.Apply(opts...); err != nil {
		return err
	}
	if r.Limit > 0 {
		return invalid("WithLimit", "does not fit ListPage, which takes WithPageSize")
	}
	if token != "" && r.StartAfter != "" {
		return invalid("WithStartAfter", "does not fit beside a token")
	}
	const defaultPageSize = 100
	r.PageSize = cmp.Or(r.PageSize, defaultPageSize)
	return nil
}

// Versions yields the kept versions under a prefix, in the order of keys. It yields the versions of
// one key from the newest to the oldest. Its options are [WithPrefix], [WithLimit], [WithPageSize]
// and [WithSoftDeleted].
func Versions(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[VersionEntry, error] {
	return listWith(ctx, b, "Versions", opts,
		func(c Core, o *ListOptions) iter.Seq2[VersionEntry, error] { return c.Versions(ctx, o) },
		func(entry *VersionEntry) *string { return &entry.Key })
}

// listWith checks the options and the permission, and returns the entries that the function list gets
// from the Core. If b is a view from [Prefixed], the keys are without the prefix of the view. A call of key
// returns a pointer to the key of an entry.
func listWith[E any](
	ctx context.Context, b Lister, op string, opts []ListOption, list func(Core, *ListOptions) iter.Seq2[E, error],
	key func(*E) *string,
) iter.Seq2[E, error] {
	f, err := frontOf(b, op, "")
	if err != nil {
		return failedListing[E](err)
	}
	o := &ListOptions{}
	optsErr := o.Apply(opts...)
	if err := f.checkAllowed(scope.List, optsErr); err != nil {
		return refusedListing[E](ctx, f, op, o.Prefix, err)
	}

	f.addPrefix(o)
	listed := list(f.core, o)
	if listed == nil {
		return failedListing[E](f.noAnswer(op, strings.TrimPrefix(o.Prefix, f.scope.Prefix)))
	}

	if f.scope.Prefix == "" {
		// There is nothing to remove from the keys.
		return listed
	}
	return entriesInView(f, op, listed, key)
}

// entriesInView yields the listed entries with their keys in the view f, which are those without its
// prefix. A call of key returns a pointer to the key of an entry.
func entriesInView[E any](
	f *front, op string, listed iter.Seq2[E, error], key func(*E) *string,
) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for entry, err := range listed {
			if err != nil {
				yield(entry, f.errorInView(err))
				return
			}
			isFolderMarker, err := f.trimPrefix(op, key(&entry))
			if err != nil {
				yield(entry, err)
				return
			}

			// An object whose key is the prefix itself has no key in the view.
			if isFolderMarker {
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}
