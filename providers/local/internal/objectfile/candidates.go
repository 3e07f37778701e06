package objectfile

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Candidates finds the file of a key's object. The file has the plain, the alternate or the literal
// name (see bucketdir.Location). After a crash, or because of another program, files with two or
// three of these names may exist. The object is then the file with the plain name. If the plain
// name does not exist, the object is the file with the alternate name. A write first creates the
// new object, and then removes the other files. A removal first removes the other files, and then
// the object. The caller holds the lock of the key.
type Candidates struct {
	tree    *bucketdir.Tree
	reader  *Reader
	staging *Staging

	Location  bucketdir.Location
	Plain     *osdir.Dir // directory of the plain name; the caller closes it
	alternate *osdir.Dir
	literal   *osdir.Dir

	// hasOtherSpelling is true if the plain name opens a file that is spelled differently, on a disk that
	// folds case.
	hasOtherSpelling bool
	found            ObjectFile // the last result of Find
	lacksVisible     bool       // true if Adopt has found no visible sidecar
}

// NewCandidates returns the candidates for the object at loc. dir is the directory of its plain
// name.
func NewCandidates(s *Staging, loc bucketdir.Location, dir *osdir.Dir) *Candidates {
	return &Candidates{tree: s.Tree, reader: s.Reader, staging: s, Location: loc, Plain: dir}
}

// Close closes the directories of the names. c.Plain belongs to the caller.
func (c *Candidates) Close() {
	if c.alternate != nil && c.alternate != c.Plain {
		c.tree.CloseDir(c.alternate)
	}
	if c.literal != nil {
		c.tree.CloseDir(c.literal)
	}
}

// Find returns the file of the object. If the object does not exist, it returns the zero value.
func (c *Candidates) Find() (ObjectFile, error) {
	file, err := c.find()
	c.found = file
	return file, err
}

// find returns the file with the first of the object's plain, alternate and literal names that has
// one.
func (c *Candidates) find() (ObjectFile, error) {
	file, err := c.findPlain()
	if err != nil || file.Found() {
		return file, err
	}

	alternate, err := c.alternateDir()
	if err != nil {
		return ObjectFile{}, err
	}
	file, err = c.reader.StatObject(alternate, c.Location.AltBase)
	if err != nil || file.Found() {
		return file, err
	}

	literal, err := c.literalDir()
	if err != nil {
		return ObjectFile{}, err
	}
	_, base := osdir.Split(c.Location.Literal)
	return c.reader.StatObject(literal, base)
}

// findPlain returns the file with the object's plain name. If the name of the file has another
// spelling, on a disk that folds case, it sets hasOtherSpelling and returns the zero value.
func (c *Candidates) findPlain() (ObjectFile, error) {
	file, err := c.reader.StatObject(c.Plain, c.Location.Base)
	if err != nil || !file.Found() || !c.tree.Strict.Load() {
		return file, err
	}

	// The disk folds case, so the file may have another spelling of the name.
	isExact, err := c.reader.hasExactName(file)
	if err != nil {
		return ObjectFile{}, err
	}
	if !isExact {
		c.hasOtherSpelling = true
		return ObjectFile{}, nil
	}
	return file, nil
}

// alternateDir returns the directory of the object's alternate name, which it opens at its first
// call, or nil if the directory does not exist.
func (c *Candidates) alternateDir() (*osdir.Dir, error) {
	if c.alternate != nil {
		return c.alternate, nil
	}
	if c.Plain != nil && c.Location.AltDir == c.Plain.Path {
		c.alternate = c.Plain
		return c.alternate, nil
	}
	var err error
	c.alternate, err = c.tree.OpenIfThere(c.Location.AltDir)
	return c.alternate, err
}

// literalDir returns the directory of the file whose path is the key itself, without escapes, or nil
// if there is no such file.
func (c *Candidates) literalDir() (*osdir.Dir, error) {
	if c.literal != nil || c.Location.Literal == "" {
		return c.literal, nil
	}
	exists, err := c.tree.ExistsExactly(c.Location.Literal)
	if err != nil || !exists {
		return nil, err
	}
	path, _ := osdir.Split(c.Location.Literal)
	c.literal, err = c.tree.Open(path)
	return c.literal, bucketdir.WrapError(err)
}

// Install makes the staged file the object, and replaces an existing object.
func (c *Candidates) Install(ctx context.Context, staged *StagedFile) error {
	return c.install(ctx, staged, false)
}

// InstallNew makes the staged file the object. It fails with PreconditionFailed if there is an object.
func (c *Candidates) InstallNew(ctx context.Context, staged *StagedFile) error {
	return c.install(ctx, staged, true)
}

// install makes the staged file the object, under its plain name or, if a directory with files has
// that name, under its alternate name. If ifAbsent is true, it replaces no object.
func (c *Candidates) install(ctx context.Context, staged *StagedFile, ifAbsent bool) error {
	if c.hasOtherSpelling {
		return argument.Invalid(
			"key", "must not differ only in case from an existing file",
			"rename the file that differs from the key only in case: this disk folds case",
		)
	}

	err := c.installPlain(ctx, staged, ifAbsent)
	if osdir.IsObstructed(err) {
		return c.installAlternate(ctx, staged, ifAbsent)
	}
	if err != nil {
		return err
	}

	// Remove the files with other names that were the object.
	if err := c.removeAlternate(ctx); err != nil {
		return err
	}
	return c.removeLiteral(ctx, c.Plain)
}

// installPlain moves the staged file to the object's plain name. If a directory with files has that
// name, the error satisfies osdir.IsObstructed.
func (c *Candidates) installPlain(ctx context.Context, staged *StagedFile, ifAbsent bool) error {
	err := c.moveInto(ctx, c.Plain, c.Location.Base, staged, ifAbsent)
	if osdir.IsObstructed(err) && c.Plain.Rmdir(c.Location.Base) == nil {
		// The directory was empty.
		return c.moveInto(ctx, c.Plain, c.Location.Base, staged, ifAbsent)
	}
	return err
}

// installAlternate moves the staged file to the object's alternate name. If ifAbsent is true, it
// replaces no object.
func (c *Candidates) installAlternate(ctx context.Context, staged *StagedFile, ifAbsent bool) error {
	alternate, err := c.MakeAlternateDir()
	if err != nil {
		return err
	}
	if err := c.moveInto(ctx, alternate, c.Location.AltBase, staged, ifAbsent); err != nil {
		return err
	}
	if alternate != c.Plain {
		if err := c.tree.Flush(alternate); err != nil {
			return bucketdir.UnknownOutcome(err)
		}
	}
	return c.removeLiteral(ctx, alternate)
}

// MakeAlternateDir opens the directory of the alternate name, and creates it if it does not exist. It
// fails with ErrRetry if another process removes the directory meanwhile.
func (c *Candidates) MakeAlternateDir() (*osdir.Dir, error) {
	alternate, err := c.alternateDir()
	if alternate != nil || err != nil {
		return alternate, err
	}
	if err := c.tree.Mkdirs(c.Location.AltDir); err != nil {
		return nil, err
	}
	alternate, err = c.alternateDir()
	if err != nil {
		return nil, err
	}
	if alternate == nil {
		return nil, bucketdir.ErrRetry
	}
	return alternate, nil
}

// removeAlternate removes the file with the alternate name of the object as removeStale does. If its
// directory cannot be opened, the file does no harm, because the plain name takes precedence.
func (c *Candidates) removeAlternate(ctx context.Context) error {
	alternate, err := c.alternateDir()
	if err != nil || alternate == nil {
		return nil
	}
	return c.removeStale(ctx, c.Plain, alternate, c.Location.AltBase)
}

// removeLiteral removes the file with the literal name of the object as removeStale does. It ignores
// errors of the search, because the new object has a name that takes precedence.
func (c *Candidates) removeLiteral(ctx context.Context, newDir *osdir.Dir) error {
	literal, err := c.literalDir()
	if err != nil || literal == nil {
		return nil
	}
	_, base := osdir.Split(c.Location.Literal)
	return c.removeStale(ctx, newDir, literal, base)
}

// removeStale removes the file base in oldDir, which is no longer the object. The new object is in
// newDir, or there is none and newDir is nil. A file that cannot be removed is ignored.
func (c *Candidates) removeStale(ctx context.Context, newDir, oldDir *osdir.Dir, base string) error {
	if !c.tree.Sync || oldDir == newDir {
		// Nothing must be flushed here: within one directory, the file system keeps the order of changes.
		_ = oldDir.UnlinkInUse(ctx, base)
		return nil
	}
	if _, err := oldDir.Stat(base); err != nil {
		return nil
	}

	// Flush the new object first, so that a power failure cannot lose both files.
	if newDir != nil {
		if err := newDir.Sync(); err != nil {
			return bucketdir.UnknownOutcome(err)
		}
	}
	if err := oldDir.UnlinkInUse(ctx, base); err != nil {
		return nil
	}
	return bucketdir.UnknownOutcome(oldDir.Sync())
}

// moveInto moves the staged file to the name base in dst, and replaces an existing file unless
// ifAbsent is true. If a directory has the name, the error satisfies osdir.IsObstructed.
func (c *Candidates) moveInto(
	ctx context.Context, dst *osdir.Dir, base string, staged *StagedFile, ifAbsent bool,
) error {
	if ifAbsent {
		isPlaced, err := c.linkNew(dst, base, staged)
		if isPlaced || err != nil {
			return err
		}
		// Find has seen no object, and linkNew has seen none, so the rename below loses none.
	}

	if c.exchange(dst, base, staged) {
		return nil
	}
	err := c.staging.Place(ctx, dst, base, staged)
	if osdir.IsObstructed(err) {
		return err
	}
	return bucketdir.WrapError(err)
}

// linkNew moves the staged file to the name base in dst by a hard link, and reports whether it did.
// If an object has the name, it fails with PreconditionFailed, even if another program, which ignores
// the key's lock, has just created the file.
func (c *Candidates) linkNew(dst *osdir.Dir, base string, staged *StagedFile) (isPlaced bool, err error) {
	linkErr := dst.Link(base, staged.Dir, staged.Name)
	if linkErr == nil {
		_ = staged.Dir.Unlink(staged.Name)
		staged.MarkPlaced()
		return true, nil
	}
	if !bucketdir.IsExist(linkErr) {
		// For example, the file system has no hard links.
		return false, nil
	}

	// The existing file may be no object, such as a broken symbolic link.
	file, err := c.reader.StatObject(dst, base)
	if err != nil {
		return false, errors.Join(err, storage.PreconditionFailed)
	}
	if file.Found() {
		return false, storage.PreconditionFailed
	}
	return false, nil
}

// exchange replaces the file of the object by swapping its name with that of the staged file, and
// reports whether it did. This is faster than a rename over the old file, which makes ext4 flush the
// new data at once.
func (c *Candidates) exchange(dst *osdir.Dir, base string, staged *StagedFile) bool {
	if c.tree.Sync {
		// The new data is flushed already, so a swap saves nothing.
		return false
	}
	replacesObject := c.found.Dir == dst && c.found.Base == base
	if !replacesObject {
		return false
	}
	if dst.Exchange(base, staged.Dir, staged.Name) != nil {
		return false
	}

	// The old file has the staged name now, so remove it.
	if staged.Dir.Unlink(staged.Name) != nil {
		// Another program has just put a directory in its place, which Unlink does not remove. Swap back, so
		// that the caller finds the directory. If that fails, the new file is the object already.
		isSwappedBack := dst.Exchange(base, staged.Dir, staged.Name) == nil
		if isSwappedBack {
			return false
		}
	}
	staged.MarkPlaced()
	return true
}

// Remove removes the object that Find has found, with its plain name last, because a file with
// another name would then become the object. The caller must flush c.Plain.
func (c *Candidates) Remove(ctx context.Context) error {
	if err := c.RemoveOthers(ctx); err != nil {
		return err
	}
	if c.Plain == nil || c.hasOtherSpelling {
		// No file has exactly the plain name.
		return nil
	}
	// The name may be that of a directory.
	file, err := c.reader.StatObject(c.Plain, c.Location.Base)
	if err != nil || !file.Found() {
		return err
	}
	return bucketdir.IgnoreNotExist(c.Plain.UnlinkInUse(ctx, c.Location.Base))
}

// RemoveOthers removes the files with the alternate and the literal name of the object, and flushes
// the removal, except in c.Plain, which the caller flushes.
func (c *Candidates) RemoveOthers(ctx context.Context) error {
	// nil means that there is no new object to flush first.
	if err := c.removeLiteral(ctx, nil); err != nil {
		return err
	}

	alternate, err := c.alternateDir()
	if err != nil || alternate == nil {
		// An object in a directory that cannot be opened cannot be read, either.
		return nil
	}
	if err := alternate.UnlinkInUse(ctx, c.Location.AltBase); err != nil {
		return bucketdir.IgnoreNotExist(err)
	}
	if alternate == c.Plain {
		return nil
	}
	return bucketdir.IgnoreNotExist(c.tree.Flush(alternate))
}

// Restore makes a noncurrent version, a file in dir, the current object. The key must have no current
// object.
func (c *Candidates) Restore(ctx context.Context, dir *osdir.Dir, version string) error {
	// Install the file of the version as if it were the staged file of a write.
	if err := c.Install(ctx, &StagedFile{Dir: dir, Name: version}); err != nil {
		return err
	}
	if err := errors.Join(c.tree.Flush(c.Plain), c.tree.Flush(dir)); err != nil {
		return bucketdir.UnknownOutcome(err)
	}

	// A noncurrent version has no visible sidecar, but a current object needs this file beside it if the
	// bucket writes such files.
	if !c.reader.WritesVisible() {
		return nil
	}
	file, err := c.Find()
	if err != nil || !file.Found() {
		return bucketdir.UnknownOutcome(err)
	}
	return c.RewriteVisible(ctx, file)
}
