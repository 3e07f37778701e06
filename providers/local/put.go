package local

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// Put writes a file that nobody sees, with its attributes, and renames it into
// its place: readers have the old object or the new one, with what goes with
// it.
func (d *driver) Put(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	s, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer d.leave(s)
	st, err := s.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer s.discard(st)
	if err := st.fill(ctx, r.Body); err != nil {
		return nil, err
	}
	st.attrs = attrs{Properties: r.Properties, publicRead: r.PublicRead, crc: r.CRC32C}
	return s.save(ctx, r.Key, st, r.Condition)
}

// save seals a file and places it.
func (s *store) save(ctx context.Context, key string, st *staged, c storage.Condition) (*storage.Attrs, error) {
	if err := s.seal(st); err != nil {
		return nil, err
	}
	if s.visible {
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

// commit makes a sealed file the object of key, if c holds. Directories are
// made before the key's lock is taken, because that may take the locks of
// other keys. If one was removed in between, as empty, it starts over.
func (s *store) commit(ctx context.Context, key string, st *staged, c storage.Condition) error {
	l, ok := s.names().locate(key)
	if !ok {
		return invalid.Argument("key", "must not have an empty segment", "")
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
		if err == nil && s.sync {
			err = uncertain(target.sync())
		}
		s.shut(target)
		if err == nil || !errors.Is(err, errDirGone) {
			return err
		}
		if err := s.gone(); err != storage.ObjectNotFound {
			return err
		}
	}
}

// errDirGone: a directory was removed between its making and its use.
var errDirGone = errors.New("the directory is gone")

func (s *store) placeLocked(ctx context.Context, key string, target *dir, l location, st *staged, c storage.Condition) error {
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	if err := interrupted(ctx); err != nil {
		return err
	}
	spots := spots{store: s, l: l, natural: target}
	defer spots.close()
	return s.place(ctx, key, &spots, st, c)
}

// place compares and renames. The key's lock is held.
func (s *store) place(ctx context.Context, key string, at *spots, st *staged, c storage.Condition) error {
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
	if s.keeping() && old.found() {
		if old.meta.mtime >= st.meta.mtime {
			if err := s.restamp(st, old.meta.mtime); err != nil {
				return err
			}
		}
		if err := s.keep(ctx, key, old, time.Time{}); err != nil {
			return err
		}
	}
	if err := s.keepMode(st, old); err != nil {
		return err
	}
	if err := at.dropVisible(ctx); err != nil {
		return err
	}
	defer s.hold(old)()
	if err := at.put(ctx, st, c.Absent); err != nil {
		return err
	}
	if !s.keeping() {
		s.dropSidecar(old.meta)
	}
	if st.visible == nil {
		return nil
	}
	if err := s.keepMode(st.visible, old); err != nil {
		return uncertain(err)
	}
	return at.putVisible(ctx, st.visible)
}

// checkWrite is the verdict on a condition.
func (s *store) checkWrite(old spot, c storage.Condition) error {
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

// revisionAt is what a listing and the attributes say.
func (s *store) revisionAt(at spot) (string, error) {
	if !s.coarse.Load() {
		return makeTag(at.meta).revision(), nil
	}
	f, err := at.dir.open(at.base)
	if err != nil {
		return "", s.lost(err)
	}
	defer func() { _ = f.close() }()
	a, err := s.attrsOfFile(f)
	if err != nil {
		return "", err
	}
	return s.tagOf(f.meta, a).revision(), nil
}
