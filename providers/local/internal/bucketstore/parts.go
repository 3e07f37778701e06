package bucketstore

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Begin creates a directory for the parts of a new upload, whose ID it returns. At most once an hour,
// it also discards abandoned uploads.
func (u *Uploads) Begin(ctx context.Context, r *driver.PutRequest) (string, error) {
	if err := u.settings.CheckControls(ctx, &r.Controls); err != nil {
		return "", err
	}
	if tryBeginSweep(&u.lastSweep, u.tree.Clock.Now()) {
		u.sweepUploads(ctx)
	}

	// The upload exists once this file, which contains its key, is in its directory.
	keyFile, err := u.stageText(ctx, r.Key)
	if err != nil {
		return "", err
	}
	defer u.staging.Discard(keyFile)
	if err := u.staging.Finish(keyFile); err != nil {
		return "", err
	}

	upload := bucketdir.RandomName()
	if err := u.tree.Mkdirs(uploadPath(upload)); err != nil {
		return "", err
	}
	dst, err := u.tree.Open(uploadPath(upload))
	if err != nil {
		return "", u.tree.PathLostError(err)
	}
	defer u.tree.CloseDir(dst)
	return upload, u.moveTo(ctx, dst, uploadKeyName, keyFile)
}

// stageText creates a staged file with this content and the current time.
func (u *Uploads) stageText(ctx context.Context, content string) (*objectfile.StagedFile, error) {
	staged, err := u.staging.Stage(ctx)
	if err != nil {
		return nil, err
	}
	if err := u.staging.Fill(ctx, staged.File, strings.NewReader(content)); err != nil {
		u.staging.Discard(staged)
		return nil, err
	}
	if err := staged.File.SetTime(staged.Dir, staged.Name, u.tree.Clock.Now()); err != nil {
		u.staging.Discard(staged)
		return nil, u.tree.StagedFileError(err)
	}
	return staged, nil
}

// moveTo moves a staged file to a name in dst, the directory of an upload. It fails with ErrUpload if the upload has
// ended meanwhile.
func (u *Uploads) moveTo(ctx context.Context, dst *osdir.Dir, name string, staged *objectfile.StagedFile) error {
	err := u.staging.Place(ctx, dst, name, staged)
	if err == bucketdir.ErrRetry {
		// The directory is gone, because the upload was aborted meanwhile.
		return uploadEndedError(u.tree)
	}
	if err != nil {
		return bucketdir.WrapError(err)
	}
	return bucketdir.WrapError(u.tree.Flush(dst))
}

// PutPart stores a part in its slot of a shared file (see layoutName) or, if that is impossible, in a
// file of its own.
func (u *Uploads) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	if r.Number < 1 || r.Number > MaxParts {
		return driver.Part{}, argument.Invalid("part number", "must be from 1 to 10,000", "")
	}
	dst, err := u.Use(ctx, r.Key, r.Upload)
	if err != nil {
		return driver.Part{}, err
	}
	defer dst.Close()
	mode, err := u.privateMode(r.Key)
	if err != nil {
		return driver.Part{}, err
	}

	part, done, err := u.putInSlot(ctx, dst.Dir, r, mode)
	if done || err != nil {
		return part, err
	}
	return u.putInFile(ctx, dst.Dir, r, mode)
}

// putInFile stores a part in a file of its own, with the given mode unless it is 0.
func (u *Uploads) putInFile(
	ctx context.Context, dst *osdir.Dir, r *driver.PartRequest, mode uint32,
) (driver.Part, error) {
	staged, err := u.staging.Stage(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	defer u.staging.Discard(staged)
	if err := u.writePart(ctx, staged, r.Body, mode); err != nil {
		return driver.Part{}, err
	}
	if err := u.moveTo(ctx, dst, partName(r.Number), staged); err != nil {
		return driver.Part{}, err
	}

	tag := objectfile.MakeTag(staged.Meta).Revision()
	part := driver.Part{Number: r.Number, Tag: tag, Size: staged.Meta.Size, CRC32C: r.CRC32C}
	if part.CRC32C.Known {
		// If storing the checksum fails, ListParts reads the part instead. An earlier part with the number
		// may have a record.
		_ = u.putFile(ctx, dst, sumName(part.Number), sumRecord(part.Tag, part.CRC32C))
	}
	return part, nil
}

// writePart writes the body of a part to its staged file, with the given mode unless it is 0, and
// closes the file.
func (u *Uploads) writePart(ctx context.Context, staged *objectfile.StagedFile, body io.Reader, mode uint32) error {
	if mode != 0 {
		if err := staged.File.SetMode(mode); err != nil {
			return bucketdir.WrapError(err)
		}
	}
	if err := u.staging.Fill(ctx, staged.File, body); err != nil {
		return err
	}

	// The time is a new one, because the tag of the part is derived from it.
	if err := staged.File.SetTime(staged.Dir, staged.Name, u.tree.Clock.Next()); err != nil {
		return u.tree.StagedFileError(err)
	}
	return u.staging.Finish(staged)
}

// Complete joins the parts in one file, makes that file the object, and removes the upload.
func (u *Uploads) Complete(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if err := u.settings.CheckControls(ctx, &r.Put.Controls); err != nil {
		return nil, err
	}
	attrs, err := u.join(ctx, r)
	if err != nil {
		return nil, err
	}
	// Ignore the error, because a sweep removes the rest.
	_ = u.RemoveUpload(ctx, r.Upload)
	return attrs, nil
}

// privateMode returns the mode that keeps the parts of an upload as private as the object that they
// will replace, or 0 if there is no object.
func (u *Uploads) privateMode(key string) (uint32, error) {
	loc, ok := u.tree.Names().Locate(key)
	if !ok {
		return 0, nil
	}
	dir, err := u.tree.Open(loc.Dir)
	if err != nil {
		return 0, bucketdir.IgnoreNotExist(err)
	}
	defer u.tree.CloseDir(dir)

	candidates := u.objects.Candidates(loc, dir)
	defer candidates.Close()
	old, err := candidates.Find()
	if err != nil || !old.Found() {
		return 0, err
	}
	if old.Meta.Mode == 0 {
		// Windows has no modes.
		return 0, nil
	}

	const ownerOnly = 0o600
	if old.Meta.UID != uint32(os.Geteuid()) {
		// The other owner may have chosen a mode that permits too much.
		return ownerOnly, nil
	}
	// The owner must be able to read the parts to complete the upload.
	return old.Meta.Mode | ownerOnly, nil
}

// join stores an object with the bytes of the parts of an upload, and does not remove the upload.
func (u *Uploads) join(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	src, err := u.Use(ctx, r.Put.Key, r.Upload)
	if err != nil {
		return nil, err
	}
	defer src.Close()

	attrs, err := u.joinParts(ctx, src.Dir, r)
	if err != nil {
		// Another call may have ended the upload meanwhile.
		u.removeIfEnded(ctx, src.Dir, r.Upload)
		return nil, err
	}
	return attrs, nil
}

// removeIfEnded removes the directory of an upload if another call has ended the upload. That call
// could not remove the directory itself while this call used its files.
func (u *Uploads) removeIfEnded(ctx context.Context, dir *osdir.Dir, upload string) {
	_, err := dir.Stat(uploadKeyName)
	hasEnded := osdir.IsNoFile(err)
	if hasEnded {
		_ = u.RemoveUpload(ctx, upload)
	}
}

// joinParts stores an object with the bytes of the parts in src. If the shared file consists of the
// first parts, it becomes the object, and only the other parts are copied.
func (u *Uploads) joinParts(ctx context.Context, src *osdir.Dir, r *driver.CompleteRequest) (*storage.Attrs, error) {
	staged, sharedParts := u.sharedRun(src, r.Parts)
	if staged == nil {
		var err error
		staged, err = u.staging.Stage(ctx)
		if err != nil {
			return nil, err
		}
	}
	defer u.staging.Discard(staged)

	for _, part := range r.Parts[sharedParts:] {
		if err := appendPart(ctx, staged, src, part); err != nil {
			return nil, err
		}
	}

	staged.Attrs = objectfile.NewAttrs(r.Put.Properties, &r.Put.Controls, r.Put.CRC32C)
	staged.Upload = src // storing the object ends the upload
	return u.objects.save(ctx, r.Put.Key, staged, r.Put.Condition)
}

// appendPart appends the bytes of a part of the upload in src to the staged file.
func appendPart(ctx context.Context, staged *objectfile.StagedFile, src *osdir.Dir, part driver.Part) error {
	file, offset, size, err := openPart(src, part)
	if err != nil {
		return err
	}
	defer file.Close()
	return staged.Append(ctx, file, offset, size)
}

func errPart(part driver.Part) error {
	return argument.Invalid("part "+strconv.Itoa(part.Number), "must exist and not be replaced", "")
}

// Abort removes an upload and its parts. It does nothing if key has no such upload.
func (u *Uploads) Abort(ctx context.Context, key, upload string) error {
	opened, err := u.Use(ctx, key, upload)
	if errors.Is(err, ErrUpload) {
		return nil
	}
	if err != nil {
		return err
	}
	// Use has only shown that the upload is that of key.
	opened.Close()

	if err := u.RemoveUpload(ctx, upload); err != nil {
		return err
	}
	return u.tree.SyncDir(bucketdir.UploadsPath)
}

var _ io.ReaderFrom = (*os.File)(nil) // StagedFile.Append needs it to copy in the kernel
