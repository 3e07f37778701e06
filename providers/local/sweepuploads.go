package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/staleupload"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// An uploadSweep discards the multipart uploads that package staleupload calls abandoned.
// It never waits: an upload that it cannot examine or remove is left for a later sweep. A
// call on an old upload may wait for it, for the time that examining the parts takes.
type uploadSweep struct {
	tree  *tree
	now   time.Time
	rules []storage.LifecycleRule
}

// sweepUploads discards abandoned uploads. If uploadsPath is not a directory, but a link
// to objects, for example, it does nothing.
func (u *uploads) sweepUploads(ctx context.Context) {
	now := u.tree.clock.now()
	u.lastSweep.Store(now.UnixNano())
	if fi, err := u.tree.root.Lstat(uploadsPath); err != nil || !fi.IsDir() {
		return
	}
	uploads, err := u.tree.openToRead(uploadsPath)
	if err != nil {
		return
	}
	defer uploads.Close()
	names, _ := uploads.Names(func(e osdir.Entry) bool { return validUpload(e.Name) })
	if len(names) == 0 {
		return
	}
	settings, _ := u.settings.read() // if they cannot be read, only the limit of a week applies
	w := &uploadSweep{tree: u.tree, now: now, rules: settings.Lifecycle}
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		if w.expire(uploads, name) {
			_ = u.removeUpload(ctx, name)
		}
	}
}

// expire reports whether the entry name must be removed. Either it is an upload that expire has
// just ended by removing its key file, or it is the rest of one.
func (w *uploadSweep) expire(uploads *osdir.Dir, name string) bool {
	m, err := uploads.Stat(name)
	if err != nil || m.Kind != osdir.KindDir {
		return false
	}
	d, err := w.tree.openToRead(uploads.PathOf(name))
	if err != nil {
		return false
	}
	defer d.Close()
	key, err := d.Stat(uploadKeyName)
	switch {
	case osdir.IsNotExist(err): // a sweep or BeginParts was interrupted, or BeginParts is about to place it
		return time.Since(m.Time()) > abandonedAge
	case err != nil || key.Kind != osdir.KindFile, w.now.Sub(key.Time()) < staleupload.Day: // no rule is sooner
		return false
	}
	return w.expireUpload(d, key.Time())
}

// expireUpload removes the key file of an upload that is expired or idle. It locks the
// file, so that no call is in progress. A call that waits for the lock, or begins later,
// finds no upload.
func (w *uploadSweep) expireUpload(d *osdir.Dir, begun time.Time) bool {
	f, err := d.Edit(uploadKeyName)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	file := f.OSFile(uploadKeyName)
	if osdir.TryLock(file) != nil {
		return false
	}
	key, err := readKey(file)
	if err != nil || !staleupload.Expired(w.rules, string(key), begun, w.now) && !w.idle(d, begun) {
		return false
	}
	return d.Unlink(uploadKeyName) == nil
}

// idle reports whether no part was written for too long.
func (w *uploadSweep) idle(d *osdir.Dir, begun time.Time) bool {
	old := func(t time.Time) bool { return w.now.Sub(t) >= staleupload.Idle }
	idle := old(begun)
	if !idle {
		return false
	}
	err := d.Each(func(e osdir.Entry) bool {
		m, err := d.Stat(e.Name)
		idle = err == nil && old(m.Time())
		return idle
	})
	return err == nil && idle
}
