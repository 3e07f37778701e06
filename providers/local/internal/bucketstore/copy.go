package bucketstore

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Copy copies an object of another bucket, or of this bucket. src has the objects of the bucket
// with the source.
func (o *Objects) Copy(ctx context.Context, r *driver.CopyRequest, src *Objects) (*storage.Attrs, error) {
	source, old, err := src.source(ctx, r.Source)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	a := objectfile.NewAttrs(r.Properties, &r.Controls, storage.CRC32C{})
	return o.copyFile(ctx, r.Key, source, old, a, r.Condition)
}

// copyFile creates an object with the bytes of the source. a has the attributes of the new object,
// and old has the attributes of the source.
func (o *Objects) copyFile(
	ctx context.Context, key string, source *osdir.File, old *objectfile.Attrs, a objectfile.Attrs, c storage.Condition,
) (*storage.Attrs, error) {
	staged, err := o.staging.Stage(ctx)
	if err != nil {
		return nil, err
	}
	defer o.staging.Discard(staged)

	file := source.OSFile(key)
	if err := staged.Append(ctx, file, 0, source.Meta.Size); err != nil {
		return nil, err
	}
	if err := checkUnchanged(source); err != nil {
		return nil, err
	}

	staged.Attrs = a
	if old.Matches(source.Meta) {
		staged.Attrs.CRC32C = old.CRC32C
	}
	// Close the file first, because it may be the file to replace.
	if err := file.Close(); err != nil {
		return nil, bucketdir.Failure(err)
	}
	return o.save(ctx, key, staged, c)
}

// Move renames the file of an object to a key without an object. If a rename is not enough, it fails
// with Unsupported.
func (o *Objects) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	var attrs *storage.Attrs
	err := o.tree.Retry(ctx, func() error {
		f, a, err := o.OpenObject(ctx, r.From, "")
		if err != nil {
			return err
		}
		_ = f.Close()
		if !o.isMovable(f.Meta, a) {
			return storage.Unsupported
		}
		attrs = o.reader.AttrsOf(r.Key, f.Meta, a)
		return o.moveOnce(ctx, r, f.Meta)
	})
	if err != nil {
		return nil, err
	}
	return attrs, nil
}

// isMovable reports whether an object can be moved by a rename, as far as its file and its attributes
// tell. attrs is nil if another program has created the file.
func (o *Objects) isMovable(meta osdir.Meta, attrs *objectfile.Attrs) bool {
	if attrs == nil || attrs.ContentType == "" {
		// The key implies the content type, and a rename changes the key.
		return false
	}
	if attrs.PublicRead {
		// A moved object is not public, and a rename would keep the attribute.
		return false
	}
	if meta.Links > 1 {
		// The file also has another name.
		return false
	}
	return !o.reader.WritesVisible()
}

// moveOnce moves the object if its file still has the stat result meta. Otherwise it returns
// ErrAgain.
func (o *Objects) moveOnce(ctx context.Context, r *driver.MoveRequest, meta osdir.Meta) error {
	// OpenObject has opened the object at r.From, so that key has a location.
	src, _ := o.tree.Names().Locate(r.From)
	dst, ok := o.tree.Names().Locate(r.Key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}

	target, err := o.makeDirs(ctx, r.Key, dst)
	if err != nil {
		return err
	}
	err = o.moveFile(ctx, r, src, dst, target, meta)
	// Remove the directories that are empty now.
	o.tree.Prune(ctx, src.Dir, "")
	if err != nil {
		o.tree.Prune(ctx, dst.Dir, "")
	}
	return err
}

// moveFile renames the file into the directory target, which is that of dst. It closes the
// directories before it returns, because Windows does not remove an open directory.
func (o *Objects) moveFile(
	ctx context.Context, r *driver.MoveRequest, src, dst bucketdir.Location, target *osdir.Dir, meta osdir.Meta,
) error {
	defer o.tree.CloseDir(target)

	source, err := o.tree.Open(src.Dir)
	if osdir.IsNoFile(err) {
		return bucketdir.ErrAgain
	}
	if err != nil {
		return err
	}
	defer o.tree.CloseDir(source)

	if err := o.moveLocked(ctx, r, o.Candidates(src, source), o.Candidates(dst, target), meta); err != nil {
		return err
	}
	return bucketdir.UnknownOutcome(errors.Join(o.tree.Flush(target), o.tree.Flush(source)))
}

// moveLocked locks both keys, checks that the object can still be moved, and renames its file. If the
// file no longer has the stat result meta, it returns ErrAgain.
func (o *Objects) moveLocked(
	ctx context.Context, r *driver.MoveRequest, src, dst *objectfile.Candidates, meta osdir.Meta,
) error {
	defer src.Close()
	defer dst.Close()
	unlock, err := o.locks.LockBoth(ctx, r.From, r.Key)
	if err != nil {
		return err
	}
	defer unlock()

	if err := bucketdir.Interrupted(ctx); err != nil {
		return err
	}
	if err := o.settings.learnVersioning(); err != nil {
		return err
	}

	file, err := src.Find()
	if err != nil {
		return err
	}
	old, err := dst.Find()
	if err != nil {
		return err
	}
	if err := o.reader.CheckWrite(old, r.Condition); err != nil {
		return err
	}
	if old.Found() || o.tree.KeepsVersions() {
		return storage.Unsupported
	}
	if err := checkMove(src, file, meta); err != nil {
		return err
	}

	// Rename the file as if it were the staged file of a write.
	if err := src.RemoveOthers(ctx); err != nil {
		return err
	}
	const ifAbsent = false // the key has no object, see above
	if err := dst.Install(ctx, &objectfile.StagedFile{Dir: src.Plain, Name: src.Location.Base}, ifAbsent); err != nil {
		return err
	}
	return bucketdir.UnknownOutcome(o.tree.CheckPlace())
}

// checkMove checks file, the source of a move, which may be the zero value. If a rename would not move
// the object with all of its attributes, it fails with Unsupported. If the file was replaced or
// removed since it had the stat result meta, it fails with ErrAgain.
func checkMove(src *objectfile.Candidates, file objectfile.ObjectFile, meta osdir.Meta) error {
	visible, err := src.HasVisible()
	if err != nil {
		return err
	}
	if visible {
		// A rename would lose the attributes in the sidecar beside the object.
		return storage.Unsupported
	}

	// The file must be the one that a rename of the plain name moves.
	hasPlainName := file.Dir == src.Plain && file.Base == src.Location.Base
	if file.Found() && !hasPlainName {
		return storage.Unsupported
	}
	current, statErr := src.Plain.Stat(src.Location.Base)
	if statErr == nil && current.Kind == osdir.KindLink {
		return storage.Unsupported
	}

	// The file must be unchanged.
	if !file.Found() || statErr != nil {
		return bucketdir.ErrAgain
	}
	if current.Ino != meta.Ino || current.MTime != meta.MTime || current.Size != meta.Size {
		return bucketdir.ErrAgain
	}
	return nil
}

// source opens the source of a copy. If the source no longer has the revision that the caller has
// seen, it fails with Changed.
func (o *Objects) source(ctx context.Context, ref driver.ObjectRef) (*osdir.File, *objectfile.Attrs, error) {
	f, a, err := o.OpenObject(ctx, ref.Key, ref.Version)
	if err != nil {
		return nil, nil, MissingSource(ref, err)
	}
	if ref.Revision != "" && ref.Revision != o.reader.TagOf(f.Meta, a).Revision() {
		_ = f.Close()
		return nil, nil, storage.Changed
	}
	return f, a, nil
}

// MissingSource returns the error for a source of a copy that could not be opened because of err. If
// the engine has seen a source that is missing now, the error is Changed. Otherwise it is err.
func MissingSource(ref driver.ObjectRef, err error) error {
	code := storage.CodeOf(err)
	isMissing := code == storage.ObjectNotFound || code == storage.BucketNotFound
	if isMissing && ref.Revision != "" {
		return storage.Changed
	}
	return err
}

// checkUnchanged fails with Changed if another program has edited the source in place.
func checkUnchanged(source *osdir.File) error {
	current, err := source.Stat()
	if err != nil {
		return bucketdir.Failure(err)
	}
	if current.MTime != source.Meta.MTime || current.Size != source.Meta.Size {
		return storage.Changed
	}
	return nil
}
