package local

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// spots are the places where a key's object may be, seen by who has the key's
// lock. Of two that are there at once, which only a crash or somebody else
// leaves, the first counts: natural, aside, raw. So a write fills the first
// that it can before it empties the others, and a removal empties the first
// last.
type spots struct {
	*store
	l       location
	natural *dir // not ours to close
	aside   *dir
	raw     *dir

	occupied bool // strict: the natural name is taken by one that differs in case
}

// A spot is where an object is.
type spot struct {
	dir  *dir
	base string
	meta meta // of the file itself, behind symbolic links
}

func (s spot) found() bool { return s.dir != nil }

func (s *spots) close() {
	if s.aside != nil && s.aside != s.natural {
		s.shut(s.aside)
	}
	if s.raw != nil {
		s.shut(s.raw)
	}
}

// find is the object's spot; the zero value where there is none.
func (s *spots) find() (spot, error) {
	at, err := s.look(s.natural, s.l.base)
	if at.found() && s.strict.Load() {
		mine, err := s.spelled(at)
		if err != nil {
			return spot{}, err
		}
		if !mine {
			at, s.occupied = spot{}, true
		}
	}
	if at.found() || err != nil {
		return at, err
	}
	aside, err := s.asideDir()
	if err != nil {
		return spot{}, err
	}
	if at, err = s.look(aside, s.l.asideBase); at.found() || err != nil {
		return at, err
	}
	raw, err := s.rawDir()
	if err != nil {
		return spot{}, err
	}
	_, base := split(s.l.raw)
	return s.look(raw, base)
}

// asideDir is nil where there is none.
func (s *spots) asideDir() (*dir, error) {
	if s.aside != nil {
		return s.aside, nil
	}
	if s.natural != nil && s.l.asideDir == s.natural.path {
		s.aside = s.natural
		return s.aside, nil
	}
	d, err := s.open(s.l.asideDir)
	if noObject(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	s.aside = d
	return d, nil
}

// rawDir is nil where no file has the key's literal name.
func (s *spots) rawDir() (*dir, error) {
	if s.raw != nil || s.l.raw == "" {
		return s.raw, nil
	}
	exact, err := s.exact(s.l.raw)
	if err != nil || !exact {
		return nil, err
	}
	path, _ := split(s.l.raw)
	s.raw, err = s.open(path)
	return s.raw, failure(err)
}

// look finds an object in d, which may be nil.
func (s *store) look(d *dir, base string) (spot, error) {
	if d == nil {
		return spot{}, nil
	}
	m, err := d.stat(base)
	if err == nil && m.kind == kindLink {
		m, err = s.behind(d, base)
	}
	if noObject(err) || err == nil && m.kind != kindFile {
		return spot{}, nil
	}
	if err != nil {
		return spot{}, failure(err)
	}
	return spot{d, base, m}, nil
}

// behind is what a symbolic link leads to, inside the bucket.
func (s *store) behind(d *dir, base string) (meta, error) {
	f, err := d.open(base)
	if err != nil {
		return meta{}, err
	}
	defer func() { _ = f.close() }()
	return f.meta, nil
}

// put gives the staged file the object's name: the natural one, or, where a
// directory with entries has that, aside.
func (s *spots) put(ctx context.Context, st *staged, absent bool) error {
	if s.occupied {
		return invalid.Argument("key", "differs only in case from a file that was put there by hand", "this disk folds case: rename that file")
	}
	err := s.move(ctx, s.natural, s.l.base, st, absent)
	if inTheWay(err) && s.natural.rmdir(s.l.base) == nil {
		err = s.move(ctx, s.natural, s.l.base, st, absent)
	}
	if inTheWay(err) {
		return s.putAside(ctx, st, absent)
	}
	if err != nil {
		return err
	}
	if aside, err := s.asideDir(); err == nil && aside != nil {
		if err := s.empty(ctx, s.natural, aside, s.l.asideBase); err != nil {
			return err
		}
	}
	return s.emptyRaw(ctx, s.natural)
}

func (s *spots) putAside(ctx context.Context, st *staged, absent bool) error {
	aside, err := s.makeAsideDir()
	if err != nil {
		return err
	}
	if err := s.move(ctx, aside, s.l.asideBase, st, absent); err != nil {
		return err
	}
	if s.sync && aside != s.natural {
		if err := aside.sync(); err != nil {
			return uncertain(err)
		}
	}
	return s.emptyRaw(ctx, aside)
}

// makeAsideDir is asideDir, which it makes where there is none. It is errDirGone
// where somebody removes it meanwhile.
func (s *spots) makeAsideDir() (*dir, error) {
	aside, err := s.asideDir()
	if aside != nil || err != nil {
		return aside, err
	}
	if err := s.mkdirs(s.l.asideDir); err != nil {
		return nil, err
	}
	if aside, err = s.asideDir(); aside == nil && err == nil {
		err = errDirGone
	}
	return aside, err
}

// emptyRaw removes the file that has the key's literal name, as empty does.
func (s *spots) emptyRaw(ctx context.Context, filled *dir) error {
	raw, err := s.rawDir()
	if err != nil || raw == nil {
		return nil
	}
	_, base := split(s.l.raw)
	return s.empty(ctx, filled, raw, base)
}

// empty removes what lies at a spot that does not count, if anything does, also on
// the disk. There, too, the spot that counts is filled first: its directory is
// filled, or nil for a removal. In one directory the order holds by itself.
func (s *spots) empty(ctx context.Context, filled, d *dir, base string) error {
	remove := func() error { return persist(ctx, func() error { return d.unlink(base) }) }
	if !s.sync || d == filled {
		_ = remove()
		return nil
	}
	if _, err := d.stat(base); err != nil {
		return nil
	}
	if filled != nil {
		if err := filled.sync(); err != nil {
			return uncertain(err)
		}
	}
	if remove() != nil {
		return nil
	}
	return uncertain(d.sync())
}

// move renames. A file that must not be there yet is linked instead, which
// fails where there is one, whoever made it: the lock keeps out our own
// writers, but not an editor. Where a directory is in the way, inTheWay holds.
func (s *spots) move(ctx context.Context, to *dir, base string, st *staged, absent bool) error {
	if absent {
		err := to.link(base, st.dir, st.name)
		if err == nil {
			_ = st.dir.unlink(st.name)
			st.placed()
			return nil
		}
		if isExist(err) {
			if at, err := s.look(to, base); err != nil || at.found() {
				return errors.Join(err, storage.PreconditionFailed)
			}
		}
		// There are no hard links here, or what is there is no object, such as
		// a symbolic link to nowhere. find has looked, under the lock.
	}
	if s.exchange(to, base, st) {
		return nil
	}
	err := persist(ctx, func() error { return to.rename(base, st.dir, st.name) })
	switch {
	case err == nil:
		st.placed()
		return nil
	case inTheWay(err):
		return err
	case isNotExist(err):
		return s.missingEnd(st)
	}
	return failure(err)
}

// missingEnd tells why a rename found no file or no directory: the staged file
// vanished, or the directory that it was renamed into, which is made again.
func (s *spots) missingEnd(st *staged) error {
	if _, err := st.dir.stat(st.name); err != nil {
		return s.vanished(err)
	}
	return errDirGone
}

// exchange replaces a file without a rename over it, after which ext4 writes the
// new one's data to the disk at once: several times what all else costs. Where
// that is wanted, it has been written already. False where nothing was done.
func (s *spots) exchange(to *dir, base string, st *staged) bool {
	if s.sync {
		return false
	}
	if m, err := to.stat(base); err != nil || m.kind != kindFile {
		return false
	}
	if to.exchange(base, st.dir, st.name) != nil {
		return false
	}
	if err := st.dir.unlink(st.name); err != nil && to.exchange(base, st.dir, st.name) == nil {
		return false // what was there is no file any more: somebody made a directory meanwhile
	}
	st.placed()
	return true
}

// remove takes the object away; the caller has found it, and syncs the natural
// directory. What would show in its stead, were it removed first, goes first, also
// on the disk.
func (s *spots) remove(ctx context.Context) error {
	if err := s.emptyRaw(ctx, nil); err != nil {
		return err
	}
	if aside, err := s.asideDir(); err == nil && aside != nil {
		err := persist(ctx, func() error { return aside.unlink(s.l.asideBase) })
		if err == nil && s.sync && aside != s.natural {
			err = aside.sync()
		}
		if err != nil && !noObject(err) {
			return failure(err)
		}
	}
	if s.natural == nil || s.occupied {
		return nil
	}
	if at, err := s.look(s.natural, s.l.base); err != nil || !at.found() {
		return err
	}
	if err := persist(ctx, func() error { return s.natural.unlink(s.l.base) }); err != nil && !noObject(err) {
		return failure(err)
	}
	return nil
}
