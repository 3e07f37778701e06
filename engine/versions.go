package engine

import (
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Versions yields the versions that match the options, by key, and the newest of each key first.
func (b bucket) Versions(ctx context.Context, opts *storage.ListOptions) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		l := &listOp{}
		iterate(ctx, &l.op, l.openVersions(b.engine, opts), l.eachVersion, yield)
	}
}

// openVersions checks the options of Versions, and prepares its first request.
func (l *listOp) openVersions(e *engine, opts *storage.ListOptions) *storage.Error {
	if err := l.open(e, "Versions", opts); err != nil {
		return err
	}
	if l.req.Delimiter != "" || l.req.StartAfter != "" {
		return invalid("WithDelimiter and WithStartAfter", "do not fit Versions")
	}
	if l.req.SoftDeleted {
		return e.need(storage.SoftDelete, "WithSoftDeleted")
	}
	return e.need(storage.Versioning, "Versions")
}

// A versionWalk yields the versions of one call of Versions.
type versionWalk struct {
	listing   *listOp
	yield     func(storage.VersionEntry, error) bool
	remaining int                  // number of entries that may still be yielded
	previous  storage.VersionEntry // the last entry that was yielded, which may be of an earlier page
}

// eachVersion yields all versions, and requests the pages one after the other.
func (l *listOp) eachVersion(ctx context.Context, yield func(storage.VersionEntry, error) bool) *storage.Error {
	walk := &versionWalk{
		listing:   l,
		yield:     yield,
		remaining: l.maxEntries(),
	}
	return eachPage(ctx, &l.op.engine.desc, func(token string) (next, last string, err *storage.Error) {
		return walk.page(ctx, token)
	})
}

// page requests the page after the token, and yields its entries. It returns the token of the next
// page and a text that identifies the last version of this one, as eachPage requires.
func (w *versionWalk) page(ctx context.Context, token string) (next, last string, err *storage.Error) {
	l := w.listing
	l.req.Token = token
	l.req.Limit = l.limitOf(w.remaining)
	page, err := request(ctx, &l.op, func(ctx context.Context) (*driver.VersionPage, error) {
		return l.op.engine.driver.ListVersions(ctx, &l.req)
	})
	if err != nil {
		return "", "", err
	}

	for _, entry := range page.Entries {
		if err := ctx.Err(); err != nil {
			return "", "", asError(ctx, err)
		}

		// Some servers return keys outside of the prefix. In a Prefixed view, the object whose
		// key is the prefix itself would have an empty key, so it is left out.
		isFolderMarker := entry.Key == optionState(&l.opts).View
		if isFolderMarker || !strings.HasPrefix(entry.Key, l.req.Prefix) {
			continue
		}

		// The previous entry is the next newer version, if it has the same key.
		l.versionToUser(&entry, &w.previous)
		if entry.Key < w.previous.Key {
			return "", "", outOfOrder(l.op.engine)
		}
		w.previous = entry
		if !w.yield(entry, nil) {
			return "", "", errStopped
		}
		w.remaining--
		if w.remaining == 0 {
			const noNextPage = "" // none is wanted
			return noNextPage, "", nil
		}
	}

	// A key may have several versions, so the text has the key and the version.
	if w.previous.Key != "" {
		last = w.previous.Key + "\x00" + w.previous.Version
	}
	return page.Token, last, nil
}

// versionToUser changes an entry of the driver to what the user sees. It adds the provider's prefix to
// the revision, and, if the store does not report NoncurrentSince, sets it to the time at which the
// next newer version was written. newer is the previous entry of the listing, which is that version
// if it has the same key.
func (l *listOp) versionToUser(entry, newer *storage.VersionEntry) {
	// S3 also calls the newest delete marker the latest version.
	entry.Current = entry.Current && !entry.IsDeleteMarker
	entry.Revision = l.op.engine.taggedRevision(entry.Revision)
	if entry.NoncurrentSince.IsZero() && !entry.Current && newer.Key == entry.Key {
		entry.NoncurrentSince = newer.Modified
	}
}
