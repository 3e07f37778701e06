package copier

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

var _ Copier = (*downloader)(nil)

// A downloader transfers files from a bucket to a directory.
type downloader struct {
	src      ends.Source
	dst      *ends.Tree
	settings *Settings
}

// Compare compares the time of the file with that at which the object was written, which a downloaded
// file has if the object has no mtime.
func (d *downloader) Compare(src, dst ends.Entry) Comparison {
	if sameTime(dst.Modified, src.Modified) {
		return Same
	}
	return Unclear
}

// CompareDeep reports whether the file has the object's mtime or its content. If only the content is
// equal, it also sets the file's time, so that the next job need not read the file. listed is true if
// the object is still the listed one.
func (d *downloader) CompareDeep(ctx context.Context, src, dst ends.Entry) (equal, listed bool, err error) {
	attrs, err := d.src.Attrs(ctx, src.Key)
	if err != nil {
		return false, false, err
	}

	listed = attrs.Revision == src.Revision
	downloadedTime := fileTime(attrs, src)
	if attrs.Size != dst.Size {
		return false, listed, nil
	}
	if sameTime(dst.Modified, downloadedTime) {
		return true, listed, nil
	}

	equal, err = d.hasContent(ctx, src.Key, attrs)
	if err != nil || !equal {
		return equal, listed, err
	}
	if d.settings.DryRun {
		// A dry run must not change the time of the file.
		return true, listed, nil
	}
	if err := d.dst.Root.Chtimes(src.Key, time.Time{}, downloadedTime); err != nil {
		return false, listed, joberror.OfFile("Download", src.Key, err)
	}
	return true, listed, nil
}

// hasContent reports whether the file with this key has the checksum of the object. It returns false if
// the store keeps no checksum.
func (d *downloader) hasContent(ctx context.Context, key string, object *storage.Attrs) (bool, error) {
	if !object.CRC32C.Known {
		return false, nil
	}
	sum, err := d.dst.Checksum(ctx, key)
	if err != nil {
		return false, err
	}
	return sum == object.CRC32C.Sum, nil
}

// fileTime returns the modification time for a file that is downloaded: the object's mtime if it has
// one, and otherwise the time at which the object was written.
func fileTime(attrs *storage.Attrs, src ends.Entry) time.Time {
	if mtime := parseMtime(attrs.Metadata[mtimeKey]); !mtime.IsZero() {
		return mtime
	}
	if attrs.Revision == src.Revision {
		// src comes from a listing, in which some stores return the time more precisely.
		return src.Modified
	}
	return attrs.Modified
}

// Transfer downloads an object to the file with its key, and returns the number of bytes of the file.
func (d *downloader) Transfer(
	ctx context.Context, src ends.Entry, listed bool, requests int, moved func(done, total int64),
) (int64, error) {
	// Check the path before any request is made.
	if err := ends.CheckPath(src.Key); err != nil {
		return 0, joberror.OfFile("Download", src.Key, err)
	}
	if src.Size >= partfile.Least {
		return d.transferLarge(ctx, src, listed, requests, moved)
	}

	r, err := d.src.Download(ctx, src.Key, storage.WithConcurrency(requests), storage.WithProgress(moved))
	if err != nil {
		return 0, err
	}
	defer r.Close() // always nil
	if err := checkListedSize("Download", src, r.Attrs()); err != nil {
		return 0, err
	}

	var size int64
	write := func(f *os.File) (time.Time, error) {
		var err error
		size, err = r.WriteTo(f)
		return fileTime(r.Attrs(), src), err
	}
	err = d.dst.WriteFile(src.Key, listed, ends.DefaultPermissions, d.dst.SmallFileOpener(src.Key), write)
	return size, downloadError(src.Key, err)
}

// downloadError adds the key of the object to err, unless err already has a key. It returns nil for
// nil.
func downloadError(key string, err error) error {
	if storageErr, ok := errors.AsType[*storage.Error](err); ok && storageErr.Key != "" {
		return err
	}
	return joberror.OfFile("Download", key, err)
}
