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
type candidates struct {
	*store
	l         location
	plain     *dir // not ours to close
	alternate *dir
	literal   *dir

	occupied bool // strict: the natural name is taken by one that differs in case
}

// A spot is where an object is.
type objectFile struct {
	dir  *dir
	base string
	meta meta // of the file itself, behind symbolic links
}

func (s objectFile) found() bool { return s.dir != nil }

func (s *candidates) close() {
	if s.alternate != nil && s.alternate != s.plain {
		s.closeDir(s.alternate)
	}
	if s.literal != nil {
		s.closeDir(s.literal)
	}
}

// find is the object's spot; the zero value where there is none.
func (s *candidates) find() (objectFile, error) {
	at, err := s.statObject(s.plain, s.l.base)
	if at.found() && s.strict.Load() {
		mine, err := s.hasExactName(at)
		if err != nil {
			return objectFile{}, err
		}
		if !mine {
			at, s.occupied = objectFile{}, true
		}
	}
	if at.found() || err != nil {
		return at, err
	}
	alternate, err := s.alternateDir()
	if err != nil {
		return objectFile{}, err
	}
	if at, err = s.statObject(alternate, s.l.altBase); at.found() || err != nil {
		return at, err
	}
	literal, err := s.literalDir()
	if err != nil {
		return objectFile{}, err
	}
	_, base := split(s.l.literal)
	return s.statObject(literal, base)
}

// asideDir is nil where there is none.
func (s *candidates) alternateDir() (*dir, error) {
	if s.alternate != nil {
		return s.alternate, nil
	}
	if s.plain != nil && s.l.altDir == s.plain.path {
		s.alternate = s.plain
		return s.alternate, nil
	}
	d, err := s.open(s.l.altDir)
	if isNoObject(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	s.alternate = d
	return d, nil
}

// rawDir is nil where no file has the key's literal name.
func (s *candidates) literalDir() (*dir, error) {
	if s.literal != nil || s.l.literal == "" {
		return s.literal, nil
	}
	exact, err := s.existsExactly(s.l.literal)
	if err != nil || !exact {
		return nil, err
	}
	path, _ := split(s.l.literal)
	s.literal, err = s.open(path)
	return s.literal, failure(err)
}

// look finds an object in d, which may be nil.
func (s *store) statObject(d *dir, base string) (objectFile, error) {
	if d == nil {
		return objectFile{}, nil
	}
	m, err := d.stat(base)
	if err == nil && m.kind == kindLink {
		m, err = s.statTarget(d, base)
	}
	if isNoObject(err) || err == nil && m.kind != kindFile {
		return objectFile{}, nil
	}
	if err != nil {
		return objectFile{}, failure(err)
	}
	return objectFile{d, base, m}, nil
}

// behind is what a symbolic link leads to, inside the bucket.
func (s *store) statTarget(d *dir, base string) (meta, error) {
	f, err := d.open(base)
	if err != nil {
		return meta{}, err
	}
	defer func() { _ = f.close() }()
	return f.meta, nil
}

// put gives the staged file the object's name: the natural one, or, where a
// directory with entries has that, aside.
func (s *candidates) install(ctx context.Context, st *stagedFile, absent bool) error {
	if s.occupied {
		return invalid.Argument("key", "differs only in case from a file that was put there by hand", "this disk folds case: rename that file")
	}
	err := s.moveInto(ctx, s.plain, s.l.base, st, absent)
	if isObstructed(err) && s.plain.rmdir(s.l.base) == nil {
		err = s.moveInto(ctx, s.plain, s.l.base, st, absent)
	}
	if isObstructed(err) {
		return s.installAlternate(ctx, st, absent)
	}
	if err != nil {
		return err
	}
	if alternate, err := s.alternateDir(); err == nil && alternate != nil {
		if err := s.removeStale(ctx, s.plain, alternate, s.l.altBase); err != nil {
			return err
		}
	}
	return s.removeLiteral(ctx, s.plain)
}

func (s *candidates) installAlternate(ctx context.Context, st *stagedFile, absent bool) error {
	alternate, err := s.makeAlternateDir()
	if err != nil {
		return err
	}
	if err := s.moveInto(ctx, alternate, s.l.altBase, st, absent); err != nil {
		return err
	}
	if s.sync && alternate != s.plain {
		if err := alternate.sync(); err != nil {
			return unknownOutcome(err)
		}
	}
	return s.removeLiteral(ctx, alternate)
}

// makeAsideDir is asideDir, which it makes where there is none. It is errDirGone
// where somebody removes it meanwhile.
func (s *candidates) makeAlternateDir() (*dir, error) {
	alternate, err := s.alternateDir()
	if alternate != nil || err != nil {
		return alternate, err
	}
	if err := s.mkdirs(s.l.altDir); err != nil {
		return nil, err
	}
	if alternate, err = s.alternateDir(); alternate == nil && err == nil {
		err = errDirGone
	}
	return alternate, err
}

// emptyRaw removes the file that has the key's literal name, as empty does.
func (s *candidates) removeLiteral(ctx context.Context, filled *dir) error {
	literal, err := s.literalDir()
	if err != nil || literal == nil {
		return nil
	}
	_, base := split(s.l.literal)
	return s.removeStale(ctx, filled, literal, base)
}

// empty removes what lies at a spot that does not count, if anything does, also on
// the disk. There, too, the spot that counts is filled first: its directory is
// filled, or nil for a removal. In one directory the order holds by itself.
func (s *candidates) removeStale(ctx context.Context, filled, d *dir, base string) error {
	remove := func() error { return retryInUse(ctx, func() error { return d.unlink(base) }) }
	if !s.sync || d == filled {
		_ = remove()
		return nil
	}
	if _, err := d.stat(base); err != nil {
		return nil
	}
	if filled != nil {
		if err := filled.sync(); err != nil {
			return unknownOutcome(err)
		}
	}
	if remove() != nil {
		return nil
	}
	return unknownOutcome(d.sync())
}

// move renames. A file that must not be there yet is linked instead, which
// fails where there is one, whoever made it: the lock keeps out our own
// writers, but not an editor. Where a directory is in the way, inTheWay holds.
func (s *candidates) moveInto(ctx context.Context, to *dir, base string, st *stagedFile, absent bool) error {
	if absent {
		err := to.link(base, st.dir, st.name)
		if err == nil {
			_ = st.dir.unlink(st.name)
			st.markPlaced()
			return nil
		}
		if isExist(err) {
			if at, err := s.statObject(to, base); err != nil || at.found() {
				return errors.Join(err, storage.PreconditionFailed)
			}
		}
		// There are no hard links here, or what is there is no object, such as
		// a symbolic link to nowhere. find has looked, under the lock.
	}
	if s.exchange(to, base, st) {
		return nil
	}
	err := retryInUse(ctx, func() error { return to.rename(base, st.dir, st.name) })
	switch {
	case err == nil:
		st.markPlaced()
		return nil
	case isObstructed(err):
		return err
	case isNotExist(err):
		return s.renameError(st)
	}
	return failure(err)
}

// missingEnd tells why a rename found no file or no directory: the staged file
// vanished, or the directory that it was renamed into, which is made again.
func (s *candidates) renameError(st *stagedFile) error {
	if _, err := st.dir.stat(st.name); err != nil {
		return s.stagedFileError(err)
	}
	return errDirGone
}

// exchange replaces a file without a rename over it, after which ext4 writes the
// new one's data to the disk at once: several times what all else costs. Where
// that is wanted, it has been written already. False where nothing was done.
func (s *candidates) exchange(to *dir, base string, st *stagedFile) bool {
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
	st.markPlaced()
	return true
}

// remove takes the object away; the caller has found it, and syncs the natural
// directory. What would show in its stead, were it removed first, goes first, also
// on the disk.
func (s *candidates) remove(ctx context.Context) error {
	if err := s.removeLiteral(ctx, nil); err != nil {
		return err
	}
	if alternate, err := s.alternateDir(); err == nil && alternate != nil {
		err := retryInUse(ctx, func() error { return alternate.unlink(s.l.altBase) })
		if err == nil && s.sync && alternate != s.plain {
			err = alternate.sync()
		}
		if err != nil && !isNoObject(err) {
			return failure(err)
		}
	}
	if s.plain == nil || s.occupied {
		return nil
	}
	if at, err := s.statObject(s.plain, s.l.base); err != nil || !at.found() {
		return err
	}
	if err := retryInUse(ctx, func() error { return s.plain.unlink(s.l.base) }); err != nil && !isNoObject(err) {
		return failure(err)
	}
	return nil
}
