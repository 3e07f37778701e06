package transfer

import (
	"context"
	"io/fs"
	"os"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
)

// transferLarge downloads a large file. If this process is killed, a later job continues the
// download. If an earlier job was killed, transferLarge continues its download.
func (d *downloader) transferLarge(ctx context.Context, src entry, listed bool, requests int,
	moved func(done, total int64)) (int64, error) {
	if err := d.to.checkWrite(src.key, listed); err != nil {
		return 0, err
	}
	source := serving.Source(d.from, src.key)
	part := partfile.Find(d.to.root, src.key, source)
	if part != nil {
		opts := []storage.DownloadOption{storage.WithConcurrency(requests)}
		attrs, done, err := serving.Continue(ctx, d.from, src.key, part, opts, moved)
		if done && err == nil {
			return d.finishContinued(src, listed, part, attrs.(*storage.Attrs))
		}
		d.endPart(ctx, src.key, part, done, err)
		if done {
			return 0, err
		}
	}
	r, err := d.from.Download(ctx, src.key, storage.WithConcurrency(requests), storage.WithProgress(moved))
	if err != nil {
		return 0, err
	}
	defer r.Close() // always nil
	if err := checkListedSize("Download", src, r.Attrs()); err != nil {
		return 0, err
	}
	var size int64
	open := func(mode fs.FileMode) (temporary, error) {
		part, err = partfile.Create(d.to.root, src.key, mode)
		if err != nil {
			return temporary{}, err
		}
		return temporary{part.OS(), part.Path(), func(renamed bool, err error) {
			if renamed {
				part.Renamed()
				return
			}
			d.endPart(ctx, src.key, part, false, err)
		}}, nil
	}
	err = d.to.writeFile(src.key, listed, defaultPermissions, open, func(f *os.File) (_ time.Time, err error) {
		if serving.Record(part, source, r.Attrs(), d.to.sync) {
			size, err = r.WriteTo(part)
		} else {
			size, err = r.WriteTo(f)
		}
		return fileTime(r.Attrs(), src), err
	})
	return size, downloadError(src.key, err)
}

// finishContinued renames the temporary file of a continued download to the name of the file.
func (d *downloader) finishContinued(src entry, listed bool, part *partfile.File, attrs *storage.Attrs) (int64, error) {
	err := checkListedSize("Download", src, attrs)
	if err != nil {
		part.Remove()
		return 0, err
	}
	finished := false
	open := func(fs.FileMode) (temporary, error) {
		return temporary{part.OS(), part.Path(), func(renamed bool, _ error) {
			finished = true
			if renamed {
				part.Renamed()
			} else {
				part.Remove()
			}
		}}, nil
	}
	err = d.to.writeFile(src.key, listed, defaultPermissions, open, func(*os.File) (time.Time, error) {
		return fileTime(attrs, src), nil
	})
	if !finished {
		part.Remove()
	}
	return attrs.Size, downloadError(src.key, err)
}

// endPart ends a download that failed with err. It keeps the temporary file if the next job may be
// able to continue the download. The file is kept only if WithResume is given, or if an earlier
// process had begun the download.
func (d *downloader) endPart(ctx context.Context, key string, part *partfile.File, continued bool, err error) {
	temporary := storage.IsTemporary(err)
	interrupted := ctx.Err() != nil || temporary || storage.CodeOf(err) == storage.PermissionDenied ||
		storage.CodeOf(err) == storage.Unauthenticated
	if err != nil && (d.settings.resume != "" && interrupted || continued && temporary) {
		part.Keep()
		d.to.keep(key)
		return
	}
	part.Remove()
}
