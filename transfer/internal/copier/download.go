package transfer

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/partfile"
)

var _ transferrer = (*downloader)(nil)

// A downloader transfers files from a bucket to a directory.
type downloader struct {
	from     Source
	to       *tree
	settings *settings
}

// compare compares the file's time with the time at which the object was written. The two times are
// equal if the file was downloaded from an object without an mtime.
func (d *downloader) compare(src, dst entry) comparison {
	if sameTime(dst.modified, src.modified) {
		return same
	}
	return unclear
}

// compareDeep reports whether the file has the object's mtime or its content. If only the content
// is equal, it also sets the file's time, so that the next job need not read the file.
func (d *downloader) compareDeep(ctx context.Context, src, dst entry) (equal, listed bool, err error) {
	attrs, err := d.from.Attrs(ctx, src.key)
	if err != nil {
		return false, false, err
	}
	listed = attrs.Revision == src.revision
	want := fileTime(attrs, src)
	if attrs.Size != dst.size {
		return false, false, nil
	}
	if sameTime(dst.modified, want) {
		return true, listed, nil
	}
	if !attrs.CRC32C.Known {
		return false, false, nil
	}
	sum, err := d.to.checksum(ctx, src.key)
	if err != nil || sum != attrs.CRC32C.Sum {
		return false, false, err
	}
	if !d.settings.dryRun {
		err = d.to.root.Chtimes(src.key, time.Time{}, want)
	}
	if err != nil {
		err = fileError("Download", src.key, err)
	}
	return err == nil, listed, err
}

// fileTime returns the modification time for a file that is downloaded: the object's mtime, or
// otherwise the time at which the object was written.
func fileTime(attrs *storage.Attrs, src entry) time.Time {
	if t := parseMtime(attrs.Metadata[mtimeKey]); !t.IsZero() {
		return t
	}
	if attrs.Revision == src.revision {
		return src.modified // in a listing, some stores return this time more precisely
	}
	return attrs.Modified
}

func (d *downloader) transfer(
	ctx context.Context, src entry, listed bool, requests int, moved func(done, total int64),
) (stored int64, err error) {
	if err := checkPath(src.key); err != nil { // check the path before any request is made
		return 0, fileError("Download", src.key, err)
	}
	if src.size >= partfile.Least {
		return d.transferLarge(ctx, src, listed, requests, moved)
	}
	r, err := d.from.Download(ctx, src.key, storage.WithConcurrency(requests), storage.WithProgress(moved))
	if err != nil {
		return 0, err
	}
	defer r.Close() // always nil
	if err := checkListedSize("Download", src, r.Attrs()); err != nil {
		return 0, err
	}
	err = d.to.writeFile(src.key, listed, defaultPermissions, d.to.small(src.key),
		func(f *os.File) (_ time.Time, err error) {
			stored, err = r.WriteTo(f)
			return fileTime(r.Attrs(), src), err
		})
	return stored, downloadError(src.key, err)
}

// downloadError adds the key of the object to err, unless err already has a key.
func downloadError(key string, err error) error {
	if e := (*storage.Error)(nil); err != nil && !(errors.As(err, &e) && e.Key != "") {
		return fileError("Download", key, err)
	}
	return err
}
