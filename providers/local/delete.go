package local

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
)

// Delete without a version keeps what was there where the bucket keeps
// versions; with one it removes that version for good, and if that was the
// current one, the newest that is left takes its place.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	if r.Version != "" && !validVersion(r.Version) {
		return errVersion
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	l, ok := s.names().locate(r.Key)
	if !ok {
		return s.notFoundIfBucketGone(nil)
	}
	if written, err := s.isInitialized(); err != nil {
		return err
	} else if !written { // nobody else locks: look, before the directory gets its reserved entry
		f, err := s.openCurrent(l)
		if err != nil || f == nil {
			return s.notFoundIfBucketGone(err)
		}
		_ = f.close()
		if err := s.initialize(); err != nil {
			return err
		}
	}
	return s.delete(ctx, l, r)
}

// orGone is err, or BucketNotFound where that is the reason why nothing was
// there to remove.
func (s *store) notFoundIfBucketGone(err error) error {
	if err != nil {
		return err
	}
	if err := s.notFoundError(); err != storage.ObjectNotFound {
		return err
	}
	return nil
}

func (s *store) delete(ctx context.Context, l location, r *storage.DeleteRequest) error {
	plain, err := s.open(l.dir)
	if err != nil && !isNoObject(err) {
		return failure(err)
	}
	closed := err != nil
	closePlain := func() {
		if !closed {
			closed = true
			s.closeDir(plain)
		}
	}
	defer closePlain()
	removed, err := s.deleteLocked(ctx, plain, l, r)
	if err != nil || !removed {
		return s.notFoundIfBucketGone(err)
	}
	if s.sync && plain != nil {
		if err := plain.sync(); err != nil {
			return unknownOutcome(err)
		}
	}
	closePlain() // else it could be in the way
	if l.altDir != l.dir {
		s.prune(ctx, l.altDir, "")
	}
	s.prune(ctx, l.dir, "")
	return nil
}

func (s *store) deleteLocked(ctx context.Context, plain *dir, l location, r *storage.DeleteRequest) (bool, error) {
	unlock, err := s.lock(ctx, r.Key)
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := interrupted(ctx); err != nil {
		return false, err
	}
	at := &candidates{store: s, l: l, plain: plain}
	defer at.close()
	current, err := at.find()
	if err != nil {
		return false, err
	}
	if r.Version != "" && (!current.found() || versionOf(current.meta) != r.Version) {
		return false, s.deleteVersion(ctx, r)
	}
	if !current.found() {
		return false, nil
	}
	if err := s.checkWrite(current, r.Condition); err != nil {
		return false, err
	}
	defer s.holdInode(current)()
	if err := at.adopt(ctx, current); err != nil {
		return false, err
	}
	if err := at.dropVisible(ctx); err != nil {
		return false, err
	}
	switch {
	case r.Version != "":
		promoted, err := s.promote(ctx, r.Key, current)
		if promoted && err == nil && s.visible {
			err = at.rewriteVisible(ctx, current)
		}
		if promoted || err != nil {
			return false, err
		}
	case s.keepsVersions():
		removed := time.Unix(0, max(s.clock.next().UnixNano(), current.meta.mtime+1)) // of a file whose time lies ahead too
		if err := s.keepVersion(ctx, r.Key, current, removed); err != nil {
			return false, err
		}
		return true, at.remove(ctx)
	}
	if err := at.remove(ctx); err != nil {
		return false, err
	}
	s.dropSidecar(current.meta)
	return true, nil
}
