package engine

import (
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func (b bucket) Versions(ctx context.Context, opts *storage.ListOptions) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		l := &listOp{}
		iterate(ctx, &l.op, l.openVersions(b.engine, opts), l.eachVersion, yield)
	}
}

func (l *listOp) openVersions(c *engine, opts *storage.ListOptions) *storage.Error {
	if e := l.open(c, "Versions", opts); e != nil {
		return e
	}
	if l.req.Delimiter != "" || l.req.StartAfter != "" {
		return invalid("WithDelimiter and WithStartAfter", "do not fit Versions")
	}
	if l.req.SoftDeleted {
		return l.op.engine.need(storage.SoftDelete, "WithSoftDeleted")
	}
	return l.op.engine.need(storage.Versioning, "Versions")
}

func (l *listOp) eachVersion(ctx context.Context, yield func(storage.VersionEntry, error) bool) *storage.Error {
	remaining := l.opts.Limit
	var newer storage.VersionEntry
	return eachPage(ctx, &l.op.engine.desc, func(token string) (next, last string, e *storage.Error) {
		l.req.Token = token
		l.req.Limit = l.limitOf(remaining)
		page, e := request(ctx, &l.op, func(ctx context.Context) (*driver.VersionPage, error) {
			return l.op.engine.driver.ListVersions(ctx, &l.req)
		})
		if e != nil {
			return "", "", e
		}

		for _, entry := range page.Entries {
			if err := ctx.Err(); err != nil {
				return "", "", asError(ctx, err)
			}
			// Some servers return keys outside of the prefix. In a Prefixed view, the object whose
			// key is the prefix itself would have an empty key, so it is left out.
			if !strings.HasPrefix(entry.Key, l.req.Prefix) || entry.Key == optionState(&l.opts).View {
				continue
			}
			l.versionToUser(&entry, &newer)
			if entry.Key < newer.Key {
				return "", "", outOfOrder(l.op.engine)
			}
			newer = entry
			if !yield(entry, nil) {
				return "", "", errStopped
			}
			remaining--
			if remaining == 0 {
				return "", "", nil
			}
		}

		if newer.Key != "" {
			// The variable newer holds the last entry that was passed to yield. This entry may be
			// from an earlier page.
			last = newer.Key + "\x00" + newer.Version
		}
		return page.Token, last, nil
	})
}

// versionToUser adds the provider's prefix to the revision. If the store does not report
// NoncurrentSince, versionToUser sets it to the time at which the next newer version of the key was
// written. That version is the previous entry of the listing, which is the second argument.
func (l *listOp) versionToUser(entry, newer *storage.VersionEntry) {
	// S3 also calls the newest delete marker the latest version.
	entry.Current = entry.Current && !entry.IsDeleteMarker
	entry.Revision = l.op.engine.tagged(entry.Revision)
	if entry.NoncurrentSince.IsZero() && !entry.Current && newer.Key == entry.Key {
		entry.NoncurrentSince = newer.Modified
	}
}
