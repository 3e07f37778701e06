package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/staleupload"
)

// An uploadSweep drops the uploads in parts that nobody goes on with at one time,
// as package leftover has it. It waits for nobody: what it cannot judge, or not
// remove, it leaves for another time. A call waits for it at an old upload, for as
// long as it takes to look at the parts.
type uploadSweep struct {
	*store
	now      time.Time
	rules    []storage.LifecycleRule // that count days from the beginning of an upload
	youngest time.Duration           // nothing younger is dropped
}

// sweepUploadsAgain is for a bucket that stays open, and for one that no opening
// has swept, as a service's.
func (s *store) sweepUploadsIfDue(ctx context.Context) {
	last, now := s.lastSweep.Load(), s.clock.now().UnixNano()
	if last != 0 && now >= last && now-last < int64(staleupload.Period) {
		return
	}
	if s.lastSweep.CompareAndSwap(last, now) { // else another call does it
		s.sweepUploads(ctx)
	}
}

// sweepUploads has nothing to do where uploads is no directory of ours, but, say,
// a link to objects.
func (s *store) sweepUploads(ctx context.Context) {
	w := &uploadSweep{store: s, now: s.clock.now(), youngest: staleupload.Idle}
	s.lastSweep.Store(w.now.UnixNano())
	if fi, err := s.root.Lstat(uploadsPath); err != nil || !fi.IsDir() {
		return
	}
	uploads, err := s.openToRead(uploadsPath)
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
			_ = s.removeUpload(ctx, name)
		}
	}
}

// readRules leaves it at the week where the settings cannot be read.
func (w *uploadSweep) readRules() {
	settings, err := w.settings()
	if err != nil {
		return
	}
	for _, r := range settings.Lifecycle {
		if r.AbortUploadsAfterDays <= 0 {
			continue
		}
		w.rules = append(w.rules, r)
		if r.AbortUploadsAfterDays < int(staleupload.Idle/staleupload.Day) {
			w.youngest = min(w.youngest, time.Duration(r.AbortUploadsAfterDays)*staleupload.Day)
		}
	}
}

// end reports whether what is called name is to be removed: an upload that it has
// made unknown, or the rest of one.
func (w *uploadSweep) expire(uploads *dir, name string) bool {
	m, err := uploads.stat(name)
	if err != nil || m.kind != kindDir {
		return false
	}
	d, err := w.openToRead(uploads.name(name))
	if err != nil {
		return false
	}
	defer d.close()
	key, err := d.stat(uploadKeyName)
	switch {
	case isNotExist(err): // a sweep was cut short, or BeginParts was, or is a moment from placing it
		return time.Since(m.time()) > abandonedAge
	case err != nil || key.kind != kindFile || w.now.Sub(key.time()) < w.youngest:
		return false
	}
	return w.expireUpload(d, key.time())
}

// endUpload removes the key file of an upload that is overdue or idle. The file's
// lock says that no call is under way: one that comes later, or waits for the
// lock, finds no upload.
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

// idle reports whether nothing was written for too long.
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
