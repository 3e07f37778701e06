// Package listers has layers that list as some stores do, in ways that differ from S3.
package listers

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// NoStart is a layer that cannot begin a listing after a key, and returns no entries for a request
// with StartAfter.
//
// It declares so, and that a full page may have a token even if no entry follows.
func NoStart(next driver.Driver) driver.Driver { return &earlyEnd{next} }

// An earlyEnd ends a listing at once if it must begin after a key.
type earlyEnd struct{ driver.Driver }

// Describe declares that listings cannot start after a key, and may have a token after the last
// entry.
func (d *earlyEnd) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.StartsAfter = func() bool { return false }
	desc.TokenAfterLast = true
	return desc
}

// List returns an empty page if the listing must start after a key.
func (d *earlyEnd) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Token == "" && r.StartAfter != "" {
		return &storage.Page{}, nil
	}
	return d.Driver.List(ctx, r)
}

// Repeating is a layer that returns each common prefix twice. Before each common prefix, it returns
// an object with the prefix as its key.
func Repeating(next driver.Driver) driver.Driver { return &repeater{next} }

// A repeater repeats each common prefix.
type repeater struct{ driver.Driver }

// List returns the page of the driver with each common prefix twice. It adds a folder marker before each
// prefix, which is an object with the prefix as its key.
func (d *repeater) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	var entries []storage.ListEntry
	for _, entry := range page.Entries {
		if !entry.IsPrefix {
			entries = append(entries, entry)
			continue
		}
		marker := storage.ListEntry{Key: entry.Key, ETag: `"marker"`}
		entries = append(entries, marker, entry, entry)
	}
	return &storage.Page{Entries: entries, Token: page.Token}, nil
}

// WithMarker returns a layer that adds a folder marker to listings, even if the store could not
// hold such an object.
func WithMarker(key string) driver.Layer {
	return func(next driver.Driver) driver.Driver { return &marking{next, key} }
}

// A marking adds the object with this key to listings.
type marking struct {
	driver.Driver
	key string
}

// List adds the marker to the first page, if its key has the requested prefix.
func (d *marking) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Token != "" || !strings.HasPrefix(d.key, r.Prefix) {
		return page, nil
	}
	marker := storage.ListEntry{Key: d.key}
	return &storage.Page{
		Entries: append([]storage.ListEntry{marker}, page.Entries...),
		Token:   page.Token,
	}, nil
}

// SlashOnly is a layer that supports only the delimiter "/", and declares that.
func SlashOnly(next driver.Driver) driver.Driver { return &slashLister{next} }

// A slashLister refuses all delimiters but "/".
type slashLister struct{ driver.Driver }

// Describe declares that "/" is the only delimiter.
func (d *slashLister) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.SlashDelimiter = true
	return desc
}

// List fails with Internal if the engine asks for another delimiter than "/".
func (d *slashLister) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Delimiter != "" && r.Delimiter != "/" {
		return nil, storage.Internal
	}
	return d.Driver.List(ctx, r)
}

// TokenAfterLast is a layer that returns a token after each full page, even if no key follows. The
// layer declares TokenAfterLast in its Description.
func TokenAfterLast(next driver.Driver) driver.Driver { return &tokenGiver{next} }

// A tokenGiver returns a token after each full page.
type tokenGiver struct{ driver.Driver }

// lastPageMark is the token after a full last page. Its page has no entries.
const lastPageMark = "after the last page"

// Describe declares that a full page may have a token even if no entry follows.
func (d *tokenGiver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.TokenAfterLast = true
	return desc
}

// List calls the driver's List. If the last page is full, it returns a token with that page, and an empty
// page for the token, as some stores do.
func (d *tokenGiver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Token == lastPageMark {
		return &storage.Page{}, nil
	}
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	isFull := len(page.Entries) == r.Limit
	if isFull && page.Token == "" {
		return &storage.Page{Entries: page.Entries, Token: lastPageMark}, nil
	}
	return page, nil
}
