package bucketstore

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// An uploadSweep discards the multipart uploads that package lifetime regards as abandoned. It
// never waits: an upload that it cannot examine or remove is left for a later sweep. But a call on
// an old upload may have to wait while the sweep examines that upload's parts.
type uploadSweep struct {
	tree  *bucketdir.Tree
	now   time.Time
	rules []storage.LifecycleRule
}

// sweepUploads discards abandoned uploads. If UploadsPath is not a directory, for example a link to
// objects, it does nothing.
func (u *Uploads) sweepUploads(ctx context.Context) {
	now := u.tree.Clock.Now()
	u.lastSweep.Store(now.UnixNano())
	if fi, err := u.tree.Root.Lstat(bucketdir.UploadsPath); err != nil || !fi.IsDir() {
		return
	}

	uploads, err := u.tree.OpenToRead(bucketdir.UploadsPath)
	if err != nil {
		return
	}
	defer uploads.Close()
	names, _ := uploads.Names(func(e osdir.Entry) bool { return validUpload(e.Name) })
	if len(names) == 0 {
		return
	}

	// Without settings, only the limit of a week applies.
	settings, _ := u.settings.Read()
	w := &uploadSweep{tree: u.tree, now: now, rules: settings.Lifecycle}
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		if w.expire(uploads, name) {
			_ = u.RemoveUpload(ctx, name)
		}
	}
}

// expire reports whether the directory of an upload must be removed. If the upload is abandoned,
// expire removes its key file and returns true. If only an old directory without a key file is
// left, expire also returns true.
func (w *uploadSweep) expire(uploads *osdir.Dir, name string) bool {
	m, err := uploads.Stat(name)
	if err != nil || m.Kind != osdir.KindDir {
		return false
	}
	d, err := w.tree.OpenToRead(uploads.PathOf(name))
	if err != nil {
		return false
	}
	defer d.Close()

	key, err := d.Stat(uploadKeyName)
	if osdir.IsNotExist(err) {
		// A call was interrupted, or BeginParts has not written the key file yet.
		return time.Since(m.Time()) > bucketdir.AbandonedAge
	}
	if err != nil || key.Kind != osdir.KindFile {
		return false
	}
	if w.now.Sub(key.Time()) < lifetime.Day {
		// No upload expires on its first day.
		return false
	}
	return w.expireUpload(d, key.Time())
}

// expireUpload removes the key file of an upload that is expired or idle, and then returns true. It
// locks the file first, so no call on the upload is in progress. A call that waits for the lock, or
// begins later, does not find the upload.
func (w *uploadSweep) expireUpload(d *osdir.Dir, start time.Time) bool {
	f, err := d.Edit(uploadKeyName)
	if err != nil {
		return false
	}
	defer f.Close()
	file := f.OSFile(uploadKeyName)
	if osdir.TryLock(file) != nil {
		return false
	}
	key, err := readKey(file)
	if err != nil {
		return false
	}

	isExpired := lifetime.ExpiredUpload(w.rules, string(key), start, w.now)
	if !isExpired && !w.isIdle(d, start) {
		return false
	}
	return d.Unlink(uploadKeyName) == nil
}

// isIdle reports whether the last write to the upload is at least as long ago as the duration
// lifetime.IdleUpload. d is the directory of the upload, and start the time when it began.
func (w *uploadSweep) isIdle(d *osdir.Dir, start time.Time) bool {
	if !w.isOld(start) {
		return false
	}
	hasRecent := false
	err := d.Each(func(e osdir.Entry) bool {
		m, err := d.Stat(e.Name)
		// A file that cannot be examined counts as recent.
		hasRecent = err != nil || !w.isOld(m.Time())
		return !hasRecent
	})
	return err == nil && !hasRecent
}

// isOld reports whether a write at the time t is at least as long ago as lifetime.IdleUpload.
func (w *uploadSweep) isOld(t time.Time) bool { return w.now.Sub(t) >= lifetime.IdleUpload }
