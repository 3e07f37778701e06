package local

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// Put writes a hidden file with its attributes, and renames it to its place. Readers get
// either the old object or the new one, each with its own attributes.
func (d *driver) Put(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	if err := s.checkControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	st, err := s.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer s.discard(st)
	if err := s.fill(ctx, st.file, r.Body); err != nil {
		return nil, err
	}
	st.attrs = newAttrs(r.Properties, &r.Controls, r.CRC32C)
	return s.save(ctx, r.Key, st, r.Condition)
}

// save seals a staged file and makes it the object of key.
func (s *store) save(ctx context.Context, key string, st *stagedFile, c storage.Condition) (*storage.Attrs, error) {
	if err := s.lockNew(ctx, &st.attrs); err != nil {
		return nil, err
	}
	if err := s.seal(st); err != nil {
		return nil, err
	}
	if s.driver.visible {
		var err error
		if st.visible, err = s.stageVisible(ctx, &st.attrs, st.meta); err != nil {
			return nil, err
		}
	}
	if err := s.commit(ctx, key, st, c); err != nil {
		return nil, err
	}
	return s.attrsOf(key, st.meta, &st.attrs), nil
}

// commit makes a sealed file the object of key, if c holds. It makes directories before it
// takes the lock of the key, because that may take the locks of other keys. If a directory
// was removed in between because it was empty, commit starts over.
func (s *store) commit(ctx context.Context, key string, st *stagedFile, c storage.Condition) error {
	l, ok := s.names().locate(key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}
	var round rounds
	for {
		if err := round.next(ctx); err != nil {
			return err
		}
		target, err := s.makeDirs(ctx, key, l)
		if err != nil {
			return err
		}
		err = s.placeLocked(ctx, key, target, l, st, c)
		if err == nil && s.driver.sync {
			err = unknownOutcome(target.sync())
		}
		s.closeDir(target)
		if err == nil || !errors.Is(err, errDirGone) {
			return err
		}
		if err := s.notFoundError(); err != storage.ObjectNotFound {
			return err
		}
	}
}

// errDirGone means that a directory was removed between its creation and its use.
var errDirGone = errors.New("the directory is gone")

func (s *store) placeLocked(ctx context.Context, key string, target *dir, l location, st *stagedFile, c storage.Condition) error {
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	if err := interrupted(ctx); err != nil {
		return err
	}
	at := candidates{store: s, l: l, plain: target}
	defer at.close()
	if st.upload == nil {
		return s.placeHere(ctx, key, &at, st, c)
	}
	if _, err := st.upload.stat(uploadKeyName); isNoObject(err) {
		return errUpload // another call has completed or aborted it since the parts were joined
	} else if err != nil {
		return failure(err)
	}
	if err := s.placeHere(ctx, key, &at, st, c); err != nil {
		return err
	}
	return s.endUpload(st.upload, target)
}

// placeHere is place that fails if the directory was moved away meanwhile: then the object may
// be in a directory that is no longer the bucket.
func (s *store) placeHere(ctx context.Context, key string, at *candidates, st *stagedFile, c storage.Condition) error {
	if err := s.place(ctx, key, at, st, c); err != nil {
		return err
	}
	return unknownOutcome(s.checkPlace())
}

// place checks the condition and renames. The caller holds the lock of the key.
func (s *store) place(ctx context.Context, key string, at *candidates, st *stagedFile, c storage.Condition) error {
	if err := s.learnVersioning(); err != nil {
		return err
	}
	old, err := at.find()
	if err != nil {
		return err
	}
	if err := s.checkWrite(old, c); err != nil {
		return err
	}
	if old.found() {
		if err := at.adopt(ctx, old); err != nil {
			return err
		}
	}
	if s.keepsVersions() {
		if err := s.keepOrder(ctx, key, old, st); err != nil {
			return err
		}
	}
	if err := s.keepMode(st, old); err != nil {
		return err
	}
	if err := at.dropVisible(ctx); err != nil {
		return err
	}
	defer s.holdInode(old)()
	if err := at.install(ctx, st, c.Absent); err != nil {
		return err
	}
	if !s.keepsVersions() {
		s.dropSidecar(old.meta)
	}
	if st.visible == nil {
		return nil
	}
	if err := s.keepMode(st.visible, old); err != nil {
		return unknownOutcome(err)
	}
	return at.putVisible(ctx, st.visible)
}

// keepOrder keeps the current object, if there is one, as a version. It makes the staged file later
// than all versions of the key.
func (s *store) keepOrder(ctx context.Context, key string, old objectFile, st *stagedFile) error {
	newest := old.meta.mtime
	if !old.found() {
		var err error
		if newest, err = s.newestKeptOf(key); err != nil {
			return err
		}
	}
	if newest >= st.meta.mtime {
		if err := s.restamp(st, newest); err != nil {
			return err
		}
	}
	if !old.found() {
		return nil
	}
	return s.keepVersion(ctx, key, old)
}

// checkWrite checks the condition of a write.
func (s *store) checkWrite(old objectFile, c storage.Condition) error {
	switch {
	case c.Absent && old.found():
		return storage.PreconditionFailed
	case c.Revision != "":
		if !old.found() {
			return storage.PreconditionFailed
		}
		revision, err := s.revisionAt(old)
		if err != nil {
			return err
		}
		if revision != c.Revision {
			return storage.PreconditionFailed
		}
	}
	return nil
}

// revisionAt returns the revision, as listings and attributes have it.
func (s *store) revisionAt(at objectFile) (string, error) {
	if !s.coarse.Load() {
		return makeTag(at.meta).revision(), nil
	}
	f, err := at.dir.open(at.base)
	if err != nil {
		return "", s.pathLostError(err)
	}
	defer func() { _ = f.close() }()
	a, err := s.attrsOfFile(f)
	if err != nil {
		return "", err
	}
	return s.tagOf(f.meta, a).revision(), nil
}
