package storage

import (
	"context"
	"errors"

	"github.com/omnibucket/storage/internal/partfile"
)

// startRecord begins to record which bytes are written to a temporary file. With this record, a later
// call can continue the download. part is the temporary file. If a later call cannot
// continue, or if the object is too small, startRecord returns false.
func startRecord(part *partfile.File, source string, attrs any, sync bool) bool {
	a := attrs.(*Attrs)
	if source == "" || a.Revision == "" || a.Size < partfile.Least {
		return false
	}
	obj := partfile.Object{Source: source, Revision: a.Revision, Size: a.Size}
	if a.CRC32C.Known {
		obj.CRC32C = &a.CRC32C.Sum
	}
	return part.Record(obj, sync) == nil
}

// continueDownload completes the unfinished download in the temporary file. part is
// that file. Only missing bytes are downloaded, and they must be of the same revision. If done is
// false, the caller must download the whole object instead.
func continueDownload(
	ctx context.Context, b Downloader, key string, part *partfile.File, opts []DownloadOption,
	progress func(done, total int64),
) (a *Attrs, done bool, err error) {
	obj := part.Object()
	has := part.Has()
	err = part.Fill(func(offset, length int64) (partfile.Reader, error) {
		extra := append(opts[:len(opts):len(opts)], WithRange(offset, length), IfRevision(obj.Revision))
		if progress != nil {
			before := has
			extra = append(extra, WithProgress(func(done, _ int64) {
				progress(before+done, obj.Size)
			}))
		}
		has += length
		r, err := b.Download(ctx, key, extra...)
		if err == nil && a == nil {
			a = r.Attrs()
		}
		return r, err
	})
	if err == nil {
		if err = part.Check(); err != nil {
			return nil, false, nil
		}
		if !a.CRC32C.Known && obj.CRC32C != nil {
			a.CRC32C = CRC32C{Sum: *obj.CRC32C, Known: true}
		}
		return a, true, nil
	}

	switch CodeOf(err) {
	case PreconditionFailed,
		Changed,
		ObjectNotFound,
		RangeNotSatisfiable,
		InvalidArgument,
		Unsupported,
		ChecksumMismatch:
		if e := (*Error)(nil); errors.As(err, &e) {
			// The caller ignores this error, and downloads the whole object instead.
			return nil, false, nil
		}
	}
	return nil, true, err
}
