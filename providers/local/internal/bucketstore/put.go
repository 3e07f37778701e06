package bucketstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Put stores the body of r as an object.
func (o *Objects) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if err := o.settings.CheckControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	staged, err := o.staging.Stage(ctx)
	if err != nil {
		return nil, err
	}
	defer o.staging.Discard(staged)
	if err := o.staging.Fill(ctx, staged.File, r.Body); err != nil {
		return nil, err
	}
	staged.Attrs = objectfile.NewAttrs(r.Properties, &r.Controls, r.CRC32C)

	// Wait for a slot only now, because the body may itself call local buckets, which need slots, too.
	if err := bucketdir.Calls.Acquire(ctx); err != nil {
		return nil, err
	}
	defer bucketdir.Calls.Release()
	return o.save(ctx, r.Key, staged, r.Condition)
}

// save seals a staged file with its attributes, and makes it the object of key if the condition
// holds.
func (o *Objects) save(
	ctx context.Context, key string, staged *objectfile.StagedFile, c storage.Condition,
) (*storage.Attrs, error) {
	if err := o.settings.setDefaultRetention(ctx, &staged.Attrs); err != nil {
		return nil, err
	}
	if err := o.staging.Seal(staged); err != nil {
		return nil, err
	}
	if o.reader.WritesVisible() {
		visible, err := o.staging.StageVisible(ctx, &staged.Attrs, staged.Meta)
		if err != nil {
			return nil, err
		}
		staged.Visible = visible
	}
	if err := o.commit(ctx, key, staged, c); err != nil {
		return nil, err
	}
	return o.reader.AttrsOf(key, staged.Meta, &staged.Attrs), nil
}

// commit makes a sealed staged file the object of key if the condition holds. It starts again if
// another process removes an empty directory meanwhile.
func (o *Objects) commit(ctx context.Context, key string, staged *objectfile.StagedFile, c storage.Condition) error {
	loc, ok := o.tree.Names().Locate(key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}
	return o.tree.Retry(ctx, func() error {
		// Create directories before locking the key: that may lock other keys, and two calls that each
		// hold a lock could wait for each other forever.
		dir, err := o.makeDirs(ctx, key, loc)
		if err != nil {
			return err
		}
		defer o.tree.CloseDir(dir)

		if err := o.placeLocked(ctx, key, dir, loc, staged, c); err != nil {
			return err
		}
		return bucketdir.UnknownOutcome(o.tree.Flush(dir))
	})
}

// placeLocked locks the key and makes the staged file its object. If the file consists of the parts of an
// upload, it also ends the upload. dir is the open directory of the location.
func (o *Objects) placeLocked(
	ctx context.Context, key string, dir *osdir.Dir, loc bucketdir.Location, staged *objectfile.StagedFile,
	c storage.Condition,
) error {
	unlock, err := o.locks.Lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()

	if err := bucketdir.ContextError(ctx); err != nil {
		return err
	}

	// The candidates are the files that may be the object.
	candidates := o.Candidates(loc, dir)
	defer candidates.Close()

	if staged.Upload != nil {
		// Another call may have ended the upload since its parts were joined.
		if err := checkUpload(staged.Upload); err != nil {
			return err
		}
	}

	if err := o.place(ctx, key, candidates, staged, c); err != nil {
		return err
	}
	if err := o.tree.CheckPath(); err != nil {
		// The bucket's path may lead to another directory now.
		return bucketdir.UnknownOutcome(err)
	}

	if staged.Upload == nil {
		return nil
	}
	return o.endUpload(staged.Upload, dir)
}

// checkUpload returns ErrUpload if the upload with the directory dir has ended.
func checkUpload(dir *osdir.Dir) error {
	_, err := dir.Stat(uploadKeyName)
	if osdir.IsNoFile(err) {
		return ErrUpload
	}
	return bucketdir.WrapError(err)
}

// place makes the staged file the object of key if the condition holds. The caller must hold the lock
// of the key.
func (o *Objects) place(
	ctx context.Context, key string, candidates *objectfile.Candidates, staged *objectfile.StagedFile,
	c storage.Condition,
) error {
	if err := o.settings.loadVersioning(); err != nil {
		return err
	}
	old, err := candidates.Find()
	if err != nil {
		return err
	}
	if err := o.reader.CheckWrite(old, c); err != nil {
		return err
	}

	if err := o.keepOld(ctx, key, candidates, old, staged); err != nil {
		return err
	}
	if err := o.replaceOld(ctx, candidates, old, staged, c.Absent); err != nil {
		return err
	}

	// Put the visible sidecar, a file with the attributes, beside the object.
	if staged.Visible == nil {
		return nil
	}
	if err := o.staging.KeepMode(staged.Visible, old); err != nil {
		return bucketdir.UnknownOutcome(err)
	}
	return candidates.PutVisible(ctx, staged.Visible)
}

// keepOld prepares the replacement of the old object, if there is one. A bucket with versions keeps
// the old object as a noncurrent version, and a bucket with soft delete as a soft-deleted file.
func (o *Objects) keepOld(
	ctx context.Context, key string, candidates *objectfile.Candidates, old objectfile.ObjectFile,
	staged *objectfile.StagedFile,
) error {
	if old.Found() {
		// The attributes may be only in the visible sidecar, a file beside the object, which is not kept.
		if err := candidates.Adopt(ctx, old); err != nil {
			return err
		}
	}
	if o.tree.KeepsVersions() {
		// Even without an old object, the new one must be newer than the noncurrent versions.
		return o.keepOldVersion(ctx, key, old, staged)
	}
	return o.removed.addFile(ctx, key, old)
}

// replaceOld makes the staged file the object in place of the old one, if that is found, and removes
// the sidecars of the old one. If ifAbsent is true, it replaces no object.
func (o *Objects) replaceOld(
	ctx context.Context, candidates *objectfile.Candidates, old objectfile.ObjectFile,
	staged *objectfile.StagedFile, ifAbsent bool,
) error {
	if err := o.staging.KeepMode(staged, old); err != nil {
		return err
	}
	// The visible sidecar is beside the object, and would be wrong for the new one.
	if err := candidates.DropVisible(ctx); err != nil {
		return err
	}
	// The other sidecar has the inode of the old file as its name. Until it is removed, the inode must
	// not become that of another file.
	releaseInode := o.reader.HoldInode(old)
	defer releaseInode()
	install := candidates.Install
	if ifAbsent {
		install = candidates.InstallNew
	}
	if err := install(ctx, staged); err != nil {
		return err
	}
	if !o.tree.KeepsVersions() {
		// The old file is not kept as a version, which would need the sidecar.
		o.removed.removeSidecar(old.Meta)
	}
	return nil
}

// keepOldVersion prepares the replacement of old in a bucket that keeps versions. It makes the staged file
// newer than all versions of the key, and keeps old, if found, as a noncurrent version.
func (o *Objects) keepOldVersion(
	ctx context.Context, key string, old objectfile.ObjectFile, staged *objectfile.StagedFile,
) error {
	if !old.Found() {
		newest, err := o.noncurrent.newestKeptOf(key)
		if err != nil {
			return err
		}
		return o.makeNewer(staged, newest)
	}
	if err := o.makeNewer(staged, old.Meta.MTime); err != nil {
		return err
	}
	return o.noncurrent.keepVersion(ctx, key, old)
}

// makeNewer makes the time of the staged file later than newest, if it is not later already.
func (o *Objects) makeNewer(staged *objectfile.StagedFile, newest int64) error {
	if staged.Meta.MTime > newest {
		return nil
	}
	return o.staging.Restamp(staged, newest)
}
