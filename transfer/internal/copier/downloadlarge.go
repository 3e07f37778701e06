package copier

import (
	"context"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// transferLarge downloads a large file. If this process is killed, a later job continues the
// download. If an earlier job was killed, transferLarge continues its download.
func (d *downloader) transferLarge(
	ctx context.Context, src ends.Entry, listed bool, requests int, moved func(done, total int64),
) (int64, error) {
	if err := d.dst.CheckWrite(src.Key, listed); err != nil {
		return 0, err
	}

	// Continue the download of an earlier job, if the object is still the same.
	part := partfile.Find(d.dst.Root, src.Key, serving.Source(d.src, src.Key))
	if part != nil {
		opts := []storage.DownloadOption{storage.WithConcurrency(requests)}
		attrs, isUsable, err := serving.Continue(ctx, d.src, src.Key, part, opts, moved)
		if isUsable && err == nil {
			return d.finishContinued(src, listed, part, attrs.(*storage.Attrs))
		}
		d.endPart(ctx, src.Key, part, isUsable, err)
		if isUsable {
			return 0, err
		}
	}

	// There is no earlier download that can be continued.
	return d.downloadLarge(ctx, src, listed, requests, moved)
}

// downloadLarge begins the download of a large file, and records it so that a later job can continue
// it.
func (d *downloader) downloadLarge(
	ctx context.Context, src ends.Entry, listed bool, requests int, moved func(done, total int64),
) (int64, error) {
	r, err := d.src.Download(ctx, src.Key, storage.WithConcurrency(requests), storage.WithProgress(moved))
	if err != nil {
		return 0, err
	}
	defer r.Close() // always nil
	if err := checkListedSize("Download", src, r.Attrs()); err != nil {
		return 0, err
	}

	// WriteFile calls open, and then write with the file that open has created.
	var part *partfile.File
	open := func(mode fs.FileMode) (ends.TempFile, error) {
		var err error
		part, err = partfile.Create(d.dst.Root, src.Key, mode)
		if err != nil {
			return ends.TempFile{}, err
		}
		end := func(renamed bool, err error) {
			if renamed {
				part.Renamed()
				return
			}
			d.endPart(ctx, src.Key, part, false, err)
		}
		return ends.TempFile{File: part.OS(), Path: part.Path(), End: end}, nil
	}

	var size int64
	write := func(f *os.File) (time.Time, error) {
		// Writes to part are recorded, so that a later job can continue the download.
		var dst io.Writer = f
		canContinue := serving.Record(part, serving.Source(d.src, src.Key), r.Attrs(), d.dst.Sync)
		if canContinue {
			dst = part
		}
		var err error
		size, err = r.WriteTo(dst)
		return fileTime(r.Attrs(), src), err
	}
	err = d.dst.WriteFile(src.Key, listed, ends.DefaultPermissions, open, write)
	return size, downloadError(src.Key, err)
}

// finishContinued gives the temporary file of a continued download, which is complete, the name of the
// file. If that fails, it removes the temporary file. It returns the number of bytes.
func (d *downloader) finishContinued(src ends.Entry, listed bool, part *partfile.File, attrs *storage.Attrs) (int64, error) {
	if err := checkListedSize("Download", src, attrs); err != nil {
		part.Remove()
		return 0, err
	}

	modified := fileTime(attrs, src)
	renamed, err := d.dst.Adopt(src.Key, listed, part.OS(), part.Path(), modified)
	if renamed {
		part.Renamed()
	} else {
		part.Remove()
	}
	return attrs.Size, downloadError(src.Key, err)
}

// endPart ends a download that failed with err. It keeps the temporary file if the next job may be able
// to continue it, and otherwise removes it. continued is true if an earlier process had begun the
// download.
func (d *downloader) endPart(ctx context.Context, key string, part *partfile.File, continued bool, err error) {
	if err == nil || !d.mayContinue(ctx, continued, err) {
		part.Remove()
		return
	}
	part.Keep()
	d.dst.Keep(key)
}

// mayContinue reports whether the next job may be able to continue a download that failed with err,
// because the reason is outside of the object: the context, the store, or the credentials.
func (d *downloader) mayContinue(ctx context.Context, continued bool, err error) bool {
	if storage.IsTemporary(err) {
		return continued || d.settings.Resume != ""
	}

	if d.settings.Resume == "" {
		return false
	}
	switch storage.CodeOf(err) {
	case storage.PermissionDenied, storage.Unauthenticated:
		return true
	}
	return ctx.Err() != nil
}
