package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/staleupload"
)

// An uploadSweep discards the multipart uploads that package staleupload calls abandoned.
// It never waits: an upload that it cannot examine or remove is left for a later sweep. A
// call on an old upload may wait for it, for the time that examining the parts takes.
type uploadSweep struct {
	tree     *tree
	settings *settings

	now    time.Time
	rules  []storage.LifecycleRule // rules with AbortUploadsAfterDays
	minAge time.Duration           // no younger upload is discarded
}

// sweepUploadsIfDue sweeps if the last sweep was long enough ago. A bucket may stay open
// for long, and opening a bucket of a service does not sweep.
func (u *uploads) sweepUploadsIfDue(ctx context.Context) {
	last, now := u.lastSweep.Load(), u.driver.clock.now().UnixNano()
	if last != 0 && now >= last && now-last < int64(staleupload.Period) {
		return
	}
	if u.lastSweep.CompareAndSwap(last, now) { // otherwise another call sweeps
		u.sweepUploads(ctx)
	}
}

// sweepUploads discards abandoned uploads. If uploadsPath is not a directory, but a link
// to objects, for example, it does nothing.
func (u *uploads) sweepUploads(ctx context.Context) {
	w := &uploadSweep{tree: u.tree, settings: u.settings, now: u.driver.clock.now(), minAge: staleupload.Idle}
	u.lastSweep.Store(w.now.UnixNano())
	if fi, err := u.root.Lstat(uploadsPath); err != nil || !fi.IsDir() {
		return
	}
	uploads, err := u.tree.openToRead(uploadsPath)
	if err != nil {
		return
	}
	defer uploads.close()
	var names []string
	_ = uploads.read(func(e dirent) bool {
		if validUpload(e.name) {
			names = append(names, e.name)
		}
		return true
	})
	if len(names) > 0 {
		w.readRules()
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		if w.expire(uploads, name) {
			_ = u.removeUpload(ctx, name)
		}
	}
}

// readRules reads the lifecycle rules. If the settings cannot be read, only the limit of a
// week applies.
func (w *uploadSweep) readRules() {
	settings, err := w.settings.read()
	if err != nil {
		return
	}
	for _, r := range settings.Lifecycle {
		if r.AbortUploadsAfterDays <= 0 {
			continue
		}
		w.rules = append(w.rules, r)
		if r.AbortUploadsAfterDays < int(staleupload.Idle/staleupload.Day) {
			w.minAge = min(w.minAge, time.Duration(r.AbortUploadsAfterDays)*staleupload.Day)
		}
	}
}

// expire reports whether the entry name must be removed: an upload that it has just made
// unknown, or the rest of one.
func (w *uploadSweep) expire(uploads *dir, name string) bool {
	m, err := uploads.stat(name)
	if err != nil || m.kind != kindDir {
		return false
	}
	d, err := w.tree.openToRead(uploads.name(name))
	if err != nil {
		return false
	}
	defer d.close()
	key, err := d.stat(uploadKeyName)
	switch {
	case isNotExist(err): // a sweep or BeginParts was interrupted, or BeginParts is about to place it
		return time.Since(m.time()) > abandonedAge
	case err != nil || key.kind != kindFile || w.now.Sub(key.time()) < w.minAge:
		return false
	}
	return w.expireUpload(d, key.time())
}

// expireUpload removes the key file of an upload that is expired or idle. It locks the
// file, so that no call is in progress. A call that waits for the lock, or begins later,
// finds no upload.
func (w *uploadSweep) expireUpload(d *dir, begun time.Time) bool {
	f, err := d.edit(uploadKeyName)
	if err != nil {
		return false
	}
	defer func() { _ = f.close() }()
	file := f.osFile(uploadKeyName)
	if tryLockFile(file) != nil {
		return false
	}
	key, err := readKey(file)
	if err != nil || !staleupload.Expired(w.rules, string(key), begun, w.now) && !w.idle(d, begun) {
		return false
	}
	return d.unlink(uploadKeyName) == nil
}

// idle reports whether no part was written for too long.
func (w *uploadSweep) idle(d *dir, begun time.Time) bool {
	old := func(t time.Time) bool { return w.now.Sub(t) >= staleupload.Idle }
	idle := old(begun)
	if !idle {
		return false
	}
	err := d.read(func(e dirent) bool {
		m, err := d.stat(e.name)
		idle = err == nil && old(m.time())
		return idle
	})
	return err == nil && idle
}
