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

// sweepUploads discards abandoned uploads. It ignores errors, because a later sweep tries again.
func (u *Uploads) sweepUploads(ctx context.Context) {
	now := u.tree.Clock.Now()
	u.lastSweep.Store(now.UnixNano())
	info, err := u.tree.Root.Lstat(bucketdir.UploadsPath)
	if err != nil || !info.IsDir() {
		// The path may be a link, even to objects.
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

// expire ends an upload that is abandoned, and reports whether its directory must be removed. That is
// also so for an old directory of an upload that has ended already.
func (w *uploadSweep) expire(uploads *osdir.Dir, name string) bool {
	meta, err := uploads.Stat(name)
	if err != nil || meta.Kind != osdir.KindDir {
		return false
	}
	dir, err := w.tree.OpenToRead(uploads.PathOf(name))
	if err != nil {
		return false
	}
	defer dir.Close()

	keyFile, err := dir.Stat(uploadKeyName)
	if osdir.IsNotExist(err) {
		// A removal was interrupted, or BeginParts has not written the key file yet. The system sets the time
		// of a directory, so compare it with the system's clock, and not with that of the bucket.
		return time.Since(meta.Time()) > bucketdir.AbandonedAge
	}
	if err != nil || keyFile.Kind != osdir.KindFile {
		return false
	}
	if w.now.Sub(keyFile.Time()) < lifetime.Day {
		// No upload expires on its first day.
		return false
	}
	return w.expireUpload(dir, keyFile.Time())
}

// expireUpload removes the key file of an upload that is expired or idle, and reports whether it did.
// It locks the file before, which is impossible while a call uses the upload.
func (w *uploadSweep) expireUpload(dir *osdir.Dir, start time.Time) bool {
	f, err := dir.Edit(uploadKeyName)
	if err != nil {
		return false
	}
	defer f.Close()
	keyFile := f.OSFile(uploadKeyName)
	if osdir.TryLock(keyFile) != nil {
		return false
	}
	key, err := readKey(keyFile)
	if err != nil {
		return false
	}

	isExpired := lifetime.ExpiredUpload(w.rules, string(key), start, w.now)
	if !isExpired && !w.isIdle(dir, start) {
		return false
	}
	return dir.Unlink(uploadKeyName) == nil
}

// isIdle reports whether an upload that began at start has received nothing for the duration
// lifetime.IdleUpload. dir is the directory of the upload.
func (w *uploadSweep) isIdle(dir *osdir.Dir, start time.Time) bool {
	if !w.isOld(start) {
		return false
	}

	for e, err := range dir.Each {
		if err != nil {
			return false
		}
		// A file that cannot be examined counts as recent.
		meta, err := dir.Stat(e.Name)
		if err != nil || !w.isOld(meta.Time()) {
			return false
		}
	}
	return true
}

// isOld reports whether a write at the time t is at least as long ago as lifetime.IdleUpload.
func (w *uploadSweep) isOld(t time.Time) bool { return w.now.Sub(t) >= lifetime.IdleUpload }
