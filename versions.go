package storage

import (
	"context"
	"iter"
	"strings"
)

// A Versioner is a bucket that tells its versions: one from [New], or a type of your own, for
// which [Versions] calls this method.
type Versioner interface {
	Versions(ctx context.Context, opts ...ListOption) iter.Seq2[VersionEntry, error]
}

// Versions yields the kept versions under a prefix, by key, the newest first. It takes
// [WithPrefix], [WithLimit] and [WithPageSize]; with [WithDelimiter] or [WithStartAfter] it
// fails with InvalidArgument. If the bucket keeps no versions, or is no [Versioner], it fails
// with Unsupported.
func Versions(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[VersionEntry, error] {
	v, e := need[Versioner](b, "Versions")
	if e != nil {
		return failing[VersionEntry](located(b, "Versions", "", e))
	}
	return v.Versions(ctx, opts...)
}

func (b *bucket) Versions(ctx context.Context, opts ...ListOption) iter.Seq2[VersionEntry, error] {
	return func(yield func(VersionEntry, error) bool) {
		l := &listOp{}
		iterate(ctx, l, l.openVersions(b, opts), l.eachVersion, yield)
	}
}

func (l *listOp) openVersions(b *bucket, opts []ListOption) *Error {
	if e := l.open(b, "Versions", opts); e != nil {
		return e
	}
	if l.req.Delimiter != "" || l.req.StartAfter != "" {
		return invalid("WithDelimiter and WithStartAfter", "do not fit Versions")
	}
	return l.op.core.need(Versioning, "Versions")
}

func (l *listOp) eachVersion(ctx context.Context, yield func(VersionEntry, error) bool) *Error {
	left := l.given.Limit
	var newer VersionEntry
	for {
		if err := ctx.Err(); err != nil {
			return asError(ctx, err)
		}
		l.req.Limit = l.pageSize(defaultMaxPage)
		if left > 0 {
			l.req.Limit = min(l.req.Limit, left)
		}
		page, e := request(ctx, &l.op, func(ctx context.Context) (*VersionPage, error) { return l.op.core.driver.ListVersions(ctx, &l.req) })
		if e != nil {
			return e
		}
		for _, entry := range page.Entries {
			if err := ctx.Err(); err != nil {
				return asError(ctx, err)
			}
			// Some servers send keys outside of the prefix. The folder marker of a Prefixed
			// view has no key in the view.
			if !strings.HasPrefix(entry.Key, l.req.Prefix) || entry.Key == l.op.prefix {
				continue
			}
			l.versionToUser(&entry, &newer)
			if entry.Key < newer.Key {
				return errOrder
			}
			newer = entry
			if !yield(entry, nil) {
				return errStopped
			}
			if left--; left == 0 {
				return nil
			}
		}
		last := ""
		if newer.Version != "" {
			last = newer.Key + "\x00" + newer.Version // the last entry with the prefix
		}
		if e := l.progress.check(&l.op.core.desc, l.req.Token, page.Token, last); e != nil || page.Token == "" {
			return e
		}
		l.req.Token = page.Token
	}
}

// versionToUser removes the prefix and tags the revision. If the store does not report until when a
// version was current, it was so until the next one was written: newer, if that has the same key.
func (l *listOp) versionToUser(entry, newer *VersionEntry) {
	entry.Key = entry.Key[len(l.op.prefix):]
	entry.Current = entry.Current && !entry.IsDeleteMarker // S3 calls the newest marker the latest
	entry.Revision = l.op.core.tagged(entry.Revision)
	if entry.NoncurrentSince.IsZero() && !entry.Current && newer.Key == entry.Key {
		entry.NoncurrentSince = newer.Modified
	}
}
