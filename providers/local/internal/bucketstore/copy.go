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

// Copy copies an object of srcBucket, which may be this bucket, to this bucket.
func (o *Objects) Copy(ctx context.Context, r *driver.CopyRequest, srcBucket *Objects) (*storage.Attrs, error) {
	src, srcAttrs, err := srcBucket.source(ctx, r.Source)
	if err != nil {
		return nil, err
	}
	defer src.Close()

	attrs := objectfile.NewAttrs(r.Properties, &r.Controls, srcAttrs.SumOf(src.Meta))
	return o.copyFile(ctx, r.Key, src, attrs, r.Condition)
}

// copyFile creates an object with the bytes of src and the attributes attrs. If it succeeds, it has
// closed src.
func (o *Objects) copyFile(
	ctx context.Context, key string, src *osdir.File, attrs objectfile.Attrs, c storage.Condition,
) (*storage.Attrs, error) {
	staged, err := o.staging.Stage(ctx)
	if err != nil {
		return nil, err
	}
	defer o.staging.Discard(staged)

	// Copy the bytes, which another program may change meanwhile.
	file := src.OSFile(key)
	if err := staged.Append(ctx, file, 0, src.Meta.Size); err != nil {
		return nil, err
	}
	if err := checkUnchanged(src); err != nil {
		return nil, err
	}

	staged.Attrs = attrs
	// Close the source before saving, because it may be the file to replace. After an error before, the
	// caller closes it.
	if err := file.Close(); err != nil {
		return nil, bucketdir.WrapError(err)
	}
	return o.save(ctx, key, staged, c)
}

// Move moves an object to a key without an object by a rename of its file. It fails with Unsupported
// if a rename is not enough.
func (o *Objects) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	return bucketdir.RetryInTree(ctx, o.tree, func() (*storage.Attrs, error) {
		f, stored, err := o.OpenObject(ctx, r.From, currentVersion)
		if err != nil {
			return nil, err
		}
		// moveOnce checks that the file is still the same.
		_ = f.Close()
		if !o.isMovable(f.Meta, stored) {
			return nil, storage.Unsupported
		}
		attrs := o.reader.AttrsOf(r.Key, f.Meta, stored)
		if err := o.moveOnce(ctx, r, f.Meta); err != nil {
			return nil, err
		}
		return attrs, nil
	})
}

// isMovable reports whether the attributes and the stat result of an object permit to move it by a
// rename. attrs is nil if another program has created the file.
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
	// A visible sidecar, a file beside the object with its attributes, would have to move, too.
	return !o.reader.WritesVisible()
}

// moveOnce moves the object from r.From to r.Key. It fails with ErrRetry if the file of the object no
// longer has the stat result meta.
func (o *Objects) moveOnce(ctx context.Context, r *driver.MoveRequest, meta osdir.Meta) error {
	// OpenObject has opened the object at r.From, so that key has a location.
	src, _ := o.tree.Names().Locate(r.From)
	dst, ok := o.tree.Names().Locate(r.Key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}

	dstDir, err := o.makeDirs(ctx, r.Key, dst)
	if err != nil {
		return err
	}
	moveErr := o.moveFile(ctx, r, src, dst, dstDir, meta)

	// The object may have been the last file of its directory. After a failed move, the directory that
	// makeDirs has created may be empty.
	o.tree.Prune(ctx, src.Dir, "")
	if moveErr != nil {
		o.tree.Prune(ctx, dst.Dir, "")
	}
	return moveErr
}

// moveFile renames the file of the object at src into dstDir, the open directory of dst, and flushes
// both directories. It also closes dstDir, because the caller may remove that directory, and Windows
// cannot remove an open directory.
func (o *Objects) moveFile(
	ctx context.Context, r *driver.MoveRequest, src, dst bucketdir.Location, dstDir *osdir.Dir, meta osdir.Meta,
) error {
	defer o.tree.CloseDir(dstDir)

	srcDir, err := o.tree.Open(src.Dir)
	if osdir.IsNoFile(err) {
		// The object was moved or removed since it was opened.
		return bucketdir.ErrRetry
	}
	if err != nil {
		return err
	}
	defer o.tree.CloseDir(srcDir)

	if err := o.moveLocked(ctx, r, o.Candidates(src, srcDir), o.Candidates(dst, dstDir), meta); err != nil {
		return err
	}
	if err := errors.Join(o.tree.Flush(dstDir), o.tree.Flush(srcDir)); err != nil {
		return bucketdir.UnknownOutcome(err)
	}
	return nil
}

// moveLocked locks both keys, checks that the object can still be moved, and renames its file. src
// and dst find the files of the two objects. It fails with ErrRetry if the file no longer has the
// stat result meta.
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

	if err := bucketdir.ContextError(ctx); err != nil {
		return err
	}
	if err := o.settings.loadVersioning(); err != nil {
		return err
	}
	if err := o.checkMove(r, src, dst, meta); err != nil {
		return err
	}

	// Rename the file as if it were the staged file of a write. Files with other names of the old key
	// would become its object.
	if err := src.RemoveOthers(ctx); err != nil {
		return err
	}
	staged := &objectfile.StagedFile{Dir: src.Plain, Name: src.Location.Base}
	if err := dst.Install(ctx, staged); err != nil {
		return err
	}
	// The bucket's path may lead to another directory now.
	return bucketdir.UnknownOutcome(o.tree.CheckPath())
}

// checkMove checks that the file of src, which had the stat result meta, can be renamed to dst. dst must
// have no object, and the caller must hold the locks of both keys.
func (o *Objects) checkMove(r *driver.MoveRequest, src, dst *objectfile.Candidates, meta osdir.Meta) error {
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
	return checkMoveSource(src, file, meta)
}

// checkMoveSource checks that renaming the file with the plain name of src moves its object. file is
// the result of src.Find, and meta describes the file of the object when the move began. It fails with
// Unsupported if a rename would not move the object with all of its attributes, and with ErrRetry if
// the object was replaced or removed since meta was read.
func checkMoveSource(src *objectfile.Candidates, file objectfile.ObjectFile, meta osdir.Meta) error {
	hasVisible, err := src.HasVisible()
	if err != nil {
		return err
	}
	if hasVisible {
		// A rename would lose the attributes in the sidecar beside the object.
		return storage.Unsupported
	}

	// The object may have another name than the plain one.
	hasPlainName := file.Dir == src.Plain && file.Base == src.Location.Base
	if file.Found() && !hasPlainName {
		return storage.Unsupported
	}

	// Find follows a symbolic link, but a rename would move only the link.
	current, err := src.Plain.Stat(src.Location.Base)
	if err != nil {
		// The file is gone.
		return bucketdir.ErrRetry
	}
	if current.Kind == osdir.KindLink {
		return storage.Unsupported
	}

	// Another process may have replaced the file since meta was read.
	isUnchanged := current.Ino == meta.Ino && current.MTime == meta.MTime && current.Size == meta.Size
	if !file.Found() || !isUnchanged {
		return bucketdir.ErrRetry
	}
	return nil
}

// source opens the source of a copy. It fails with Changed if the source no longer has the revision in
// ref.
func (o *Objects) source(ctx context.Context, ref driver.ObjectRef) (*osdir.File, *objectfile.Attrs, error) {
	f, attrs, err := o.OpenObject(ctx, ref.Key, ref.Version)
	if err != nil {
		return nil, nil, MissingSource(ref, err)
	}
	if ref.Revision != "" && ref.Revision != o.reader.TagOf(f.Meta, attrs).Revision() {
		_ = f.Close()
		return nil, nil, storage.Changed
	}
	return f, attrs, nil
}

// MissingSource returns the error of a copy whose source could not be opened because of err. It is
// Changed if the source is missing now but had a revision before, and err otherwise.
func MissingSource(ref driver.ObjectRef, err error) error {
	code := storage.CodeOf(err)
	isMissing := code == storage.ObjectNotFound || code == storage.BucketNotFound
	if isMissing && ref.Revision != "" {
		return storage.Changed
	}
	return err
}

// checkUnchanged fails with Changed if another program has edited the source since it was opened.
func checkUnchanged(source *osdir.File) error {
	current, err := source.Stat()
	if err != nil {
		return bucketdir.WrapError(err)
	}
	if current.MTime != source.Meta.MTime || current.Size != source.Meta.Size {
		return storage.Changed
	}
	return nil
}
