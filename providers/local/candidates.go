package local

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// candidates has the directories in which the object of a key may be. The caller holds the lock
// of the key. If files exist in several of them, which only a crash or another program causes,
// the first one is the object: plain, alternate, literal. So a write fills the first possible
// one before it empties the others, and a removal empties the first one last.
type candidates struct {
	tree       *tree
	reader     *reader
	staging    *staging
	noncurrent *noncurrent

	l         location
	plain     *osdir.Dir // directory of the plain name; the caller closes it
	alternate *osdir.Dir
	literal   *osdir.Dir

	occupied bool       // strict: a file with another spelling has the plain name
	seen     objectFile // the result of find
	bare     bool       // adopt has found no visible sidecar
}

// An objectFile is the file of an object.
type objectFile struct {
	dir  *osdir.Dir
	base string
	meta osdir.Meta // meta of the file itself, not of the target of a symbolic link
}

func (s objectFile) found() bool { return s.dir != nil }

// candidates returns the candidates of the object at l. plain is the directory of its plain name.
func (o *objects) candidates(l location, plain *osdir.Dir) *candidates {
	return &candidates{
		tree: o.tree, reader: o.reader, staging: o.staging, noncurrent: o.noncurrent, l: l, plain: plain,
	}
}

func (s *candidates) close() {
	if s.alternate != nil && s.alternate != s.plain {
		s.tree.closeDir(s.alternate)
	}
	if s.literal != nil {
		s.tree.closeDir(s.literal)
	}
}

// find returns the file of the object, or the zero value if there is none.
func (s *candidates) find() (at objectFile, err error) {
	defer func() { s.seen = at }()
	at, err = s.reader.statObject(s.plain, s.l.base)
	if at.found() && s.tree.strict.Load() {
		mine, err := s.reader.hasExactName(at)
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
	if at, err = s.reader.statObject(alternate, s.l.altBase); at.found() || err != nil {
		return at, err
	}
	literal, err := s.literalDir()
	if err != nil {
		return objectFile{}, err
	}
	_, base := osdir.Split(s.l.literal)
	return s.reader.statObject(literal, base)
}

// alternateDir opens the directory of the alternate name. It returns nil if there is none.
func (s *candidates) alternateDir() (*osdir.Dir, error) {
	if s.alternate != nil {
		return s.alternate, nil
	}
	if s.plain != nil && s.l.altDir == s.plain.Path {
		s.alternate = s.plain
		return s.alternate, nil
	}
	var err error
	s.alternate, err = s.tree.openIfThere(s.l.altDir)
	return s.alternate, err
}

// literalDir opens the directory of the literal name. It returns nil if no file has it.
func (s *candidates) literalDir() (*osdir.Dir, error) {
	if s.literal != nil || s.l.literal == "" {
		return s.literal, nil
	}
	exact, err := s.tree.existsExactly(s.l.literal)
	if err != nil || !exact {
		return nil, err
	}
	path, _ := osdir.Split(s.l.literal)
	s.literal, err = s.tree.open(path)
	return s.literal, failure(err)
}

// statObject finds an object in d, which may be nil.
func (r *reader) statObject(d *osdir.Dir, base string) (objectFile, error) {
	if d == nil {
		return objectFile{}, nil
	}
	m, err := d.Stat(base)
	if err == nil && m.Kind == osdir.KindLink {
		m, err = r.tree.statTarget(d, base)
	}
	if osdir.IsNoFile(err) || err == nil && m.Kind != osdir.KindFile {
		return objectFile{}, nil
	}
	if err != nil {
		return objectFile{}, failure(err)
	}
	return objectFile{d, base, m}, nil
}

// statTarget returns the meta of the target of a symbolic link, inside the bucket.
func (t *tree) statTarget(d *osdir.Dir, base string) (osdir.Meta, error) {
	f, err := d.Open(base)
	if err != nil {
		return osdir.Meta{}, err
	}
	defer func() { _ = f.Close() }()
	return f.Meta, nil
}

// install renames the staged file to the plain name or, if a directory with entries has
// that, to the alternate name.
func (s *candidates) install(ctx context.Context, st *stagedFile, absent bool) error {
	if s.occupied {
		return argument.Invalid(
			"key", "must not differ only in case from an existing file",
			"rename the file that differs from the key only in case: this disk folds case",
		)
	}
	err := s.moveInto(ctx, s.plain, s.l.base, st, absent)
	if osdir.IsObstructed(err) && s.plain.Rmdir(s.l.base) == nil {
		err = s.moveInto(ctx, s.plain, s.l.base, st, absent)
	}
	if osdir.IsObstructed(err) {
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
	if alternate != s.plain {
		if err := s.tree.flush(alternate); err != nil {
			return unknownOutcome(err)
		}
	}
	return s.removeLiteral(ctx, alternate)
}

// makeAlternateDir opens the directory of the alternate name, and makes it if it does not
// exist. If another process removes it meanwhile, it fails with errAgain.
func (s *candidates) makeAlternateDir() (*osdir.Dir, error) {
	alternate, err := s.alternateDir()
	if alternate != nil || err != nil {
		return alternate, err
	}
	if err := s.tree.mkdirs(s.l.altDir); err != nil {
		return nil, err
	}
	if alternate, err = s.alternateDir(); alternate == nil && err == nil {
		err = errAgain
	}
	return alternate, err
}

// removeLiteral removes the file with the literal name, as removeStale does.
func (s *candidates) removeLiteral(ctx context.Context, filled *osdir.Dir) error {
	literal, err := s.literalDir()
	if err != nil || literal == nil {
		return nil
	}
	_, base := osdir.Split(s.l.literal)
	return s.removeStale(ctx, filled, literal, base)
}

// removeStale removes a file that is no longer the object, and flushes the removal. filled is the directory of the
// new object, or nil for a removal. It is flushed first, so that the object has a name after a power failure.
// Within a directory, the file system keeps the order.
func (s *candidates) removeStale(ctx context.Context, filled, d *osdir.Dir, base string) error {
	remove := func() error { return osdir.RetryInUse(ctx, func() error { return d.Unlink(base) }) }
	if !s.tree.sync || d == filled {
		_ = remove()
		return nil
	}
	if _, err := d.Stat(base); err != nil {
		return nil
	}
	if filled != nil {
		if err := filled.Sync(); err != nil {
			return unknownOutcome(err)
		}
	}
	if remove() != nil {
		return nil
	}
	return unknownOutcome(d.Sync())
}

// moveInto renames the staged file. With absent, it links the file instead, which fails if
// the name exists. The lock excludes writers of this package, but not an editor. If a directory has the name, the
// error satisfies osdir.IsObstructed.
func (s *candidates) moveInto(ctx context.Context, to *osdir.Dir, base string, st *stagedFile, absent bool) error {
	if absent {
		err := to.Link(base, st.dir, st.name)
		if err == nil {
			_ = st.dir.Unlink(st.name)
			st.markPlaced()
			return nil
		}
		if isExist(err) {
			if at, err := s.reader.statObject(to, base); err != nil || at.found() {
				return errors.Join(err, storage.PreconditionFailed)
			}
		}
		// The file system has no hard links, or the existing file is not an object, such as a
		// broken symbolic link. find has checked that, under the lock.
	}
	if s.exchange(to, base, st) {
		return nil
	}
	err := s.staging.place(ctx, to, base, st)
	if osdir.IsObstructed(err) {
		return err
	}
	return failure(err)
}

// exchange replaces a file by swapping names. After a rename over a file, ext4 flushes the new
// data immediately, which costs several times as much as everything else. With sync, the data
// is flushed already, and exchange does nothing. It reports whether it has replaced the file.
func (s *candidates) exchange(to *osdir.Dir, base string, st *stagedFile) bool {
	if s.tree.sync || s.seen.dir != to || s.seen.base != base {
		return false
	}
	if to.Exchange(base, st.dir, st.name) != nil {
		return false
	}
	if err := st.dir.Unlink(st.name); err != nil && to.Exchange(base, st.dir, st.name) == nil {
		return false // another program has meanwhile made a directory of that name
	}
	st.markPlaced()
	return true
}

// remove removes the object. The caller has found it, and syncs the plain directory. It
// first removes the files that would otherwise become the object.
func (s *candidates) remove(ctx context.Context) error {
	if err := s.removeOthers(ctx); err != nil {
		return err
	}
	if s.plain == nil || s.occupied {
		return nil
	}
	if at, err := s.reader.statObject(s.plain, s.l.base); err != nil || !at.found() {
		return err
	}
	return unlessAbsent(osdir.RetryInUse(ctx, func() error { return s.plain.Unlink(s.l.base) }))
}

// removeOthers removes the files of the object that have another name than the plain one, also
// on the disk.
func (s *candidates) removeOthers(ctx context.Context) error {
	if err := s.removeLiteral(ctx, nil); err != nil {
		return err
	}
	if alternate, err := s.alternateDir(); err == nil && alternate != nil {
		err := osdir.RetryInUse(ctx, func() error { return alternate.Unlink(s.l.altBase) })
		if err == nil && alternate != s.plain {
			err = s.tree.flush(alternate)
		}
		if err := unlessAbsent(err); err != nil {
			return err
		}
	}
	return nil
}
