package transfer

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unchanged"
)

// WithMove removes each file from the source after it was transferred. A file is not transferred again if the
// destination has it with the same content, and it was written there at least an hour after that of the source. Files
// of equal size are then compared as with [WithChecksum]. At each moment the source or the destination has the file,
// also if another job moves files in the opposite direction, and it survives a power failure unless [WithNoSync] is
// set. To continue a job that was killed, make the same call again.
//
// Within one bucket that has [storage.ServerMove], each object is moved in one step, with the content that it has at
// that moment. Otherwise a file that changed after it was listed is transferred and stays at the source; it fails
// with Changed. So does a file that was not transferred because the destination has the same content, if the file
// there changes or disappears before the source is removed. A file that was transferred and cannot be removed counts
// as both in the Report. An object that both ends list with the same ETag and time fails with InvalidArgument and
// stays: one bucket may have two addresses. If the store cannot remove an object on the condition of its revision, a
// change in the moment before the removal is lost. So is one of a file in a directory, and one to equal content on a
// store without [storage.UniqueRevisions]. Directories of a source
// directory that become empty are removed, too, but one that a killed job emptied may stay. The job fails with
// InvalidArgument if files cannot be removed from the source, and with [WithDelete], [WithSizeOnly] or, from a
// directory, [WithLinks].
func WithMove() Option { return option(func(s *settings) { s.move = true }) }

var errSourceChanged = errors.New("source changed while it was moved, and was not removed")

var errDestinationChanged = errors.New("the file of the destination changed or was removed after it was compared, " +
	"and that of the source was not removed")

var errOneObject = errors.New("source and destination seem to be one object, which was not removed")

// clocksDiffer is how much the clocks of two stores may differ. A request to Amazon S3 or Azure fails if it differs by
// 15 minutes from the store's clock.
const clocksDiffer = time.Hour

// copiesAgain reports whether a job that moves writes a file that both ends have to the destination before it removes
// it from the source, even if both have the same content.
//
// Another job may move files in the opposite direction. If a file at either end were a reason for the other job to
// remove its copy, both would be removed. A file that a job has just written is a reason: the other job removes only
// a file that it has listed, and that file was replaced. Any other file is a reason only if it was written after that
// of the source. The other job sees the same times, and so has no reason to remove it.
func copiesAgain(j *job, src, dst entry) bool {
	switch {
	case j.settings.missingOnly:
		return false
	case j.places.copied:
		return true
	case !j.settings.move:
		return false
	}
	return src.written.IsZero() || dst.modified.Sub(src.written) < clocksDiffer
}

// sameObject reports whether a listing shows two objects as equal in everything but the key: one
// bucket may have two addresses. A copy is younger than its source, or has another revision.
func sameObject(src, dst entry) bool {
	if src.revision != "" && dst.revision != "" && src.revision != dst.revision {
		return false
	}
	return src.etag != "" && src.etag == dst.etag && src.size == dst.size && !src.modified.IsZero() &&
		src.modified.Equal(dst.modified)
}

// moveInOneStep moves an object within one bucket, if the bucket can do that in one step.
func (j *job) moveInOneStep(ctx context.Context, key string) (size int64, done bool, err error) {
	c, ok := j.transferrer.(*bucketCopier)
	if !ok || !j.settings.move || j.settings.rule != nil || j.settings.locks {
		return 0, false, nil
	}
	attrs, done, err := serving.MoveInOneStep(ctx, c.to, key, c.from, key, []storage.CopyOption(nil))
	if !done {
		return 0, false, err
	}
	return attrs.(*storage.Attrs).Size, true, nil
}

// finishMove removes a file of the source that the destination has. same is the file of the destination if the job has
// not written it, and otherwise nil.
func (j *job) finishMove(ctx context.Context, src entry, same *entry) error {
	if !j.settings.move || j.settings.dryRun {
		return nil
	}
	if err := j.dst.syncDirs(); err != nil {
		return fileError("Sync", src.key, err)
	}
	if same != nil {
		if err := lookAgain(ctx, j.dst, *same); err != nil {
			return err
		}
	}
	return j.src.removeUnchanged(ctx, src)
}

// lookAgain fails if the file of an end was removed or replaced: somebody may have removed it since it was compared.
func lookAgain(ctx context.Context, end openedEnd, file entry) error {
	there, err := end.has(ctx, file)
	switch {
	case err != nil:
		return err
	case there:
		return nil
	}
	return &storage.Error{
		Code: storage.Changed, Op: "Sync", Key: file.key, Err: errDestinationChanged,
		Hint: "repeat the job when no other job moves files away from its destination",
	}
}

// has reports whether the directory has a file as it was listed.
func (t *tree) has(_ context.Context, file entry) (bool, error) {
	info, err := t.root.Lstat(file.key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fileError("Attrs", file.key, err)
	}
	return info.Mode().IsRegular() && isListed(info, file), nil
}

// isListed reports whether a file is the one that was listed. The time at which it was written counts, too: a download
// sets the modification time, which may be that of the file before.
func isListed(info fs.FileInfo, file entry) bool {
	return info.Size() == file.size && info.ModTime().Equal(file.modified) &&
		(file.written.IsZero() || localfile.Written(info).Equal(file.written))
}

// has reports whether the bucket has an object as it was listed. Some stores list seconds and no revision.
func (o *objects) has(ctx context.Context, file entry) (bool, error) {
	now, err := o.from.Attrs(ctx, file.key)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return false, nil
	case err != nil:
		return false, err
	case file.revision == "":
		return now.Size == file.size && now.Modified.Sub(file.modified).Abs() <= listedTogether, nil
	}
	return now.Size == file.size && now.Revision == file.revision, nil
}

// removeUnchanged removes a file unless it changed after it was listed, and directories that
// become empty.
func (t *tree) removeUnchanged(_ context.Context, src entry) error {
	info, err := t.root.Stat(src.key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fileError("Remove", src.key, err)
	case !isListed(info, src):
		return &storage.Error{Code: storage.Changed, Op: "Sync", Key: src.key, Err: errSourceChanged}
	}
	return fileError("Remove", src.key, t.removeFile(src.key))
}

// removeUnchanged removes an object unless it changed after it was listed.
func (o *objects) removeUnchanged(ctx context.Context, src entry) error {
	listed := &storage.Attrs{Key: src.key, Size: src.size, Revision: src.revision, Modified: src.modified}
	err := unchanged.Remove(ctx, o.bucket, src.key, listed)
	if storage.CodeOf(err) == storage.Changed {
		return &storage.Error{Code: storage.Changed, Op: "Sync", Key: src.key, Err: errSourceChanged}
	}
	return err
}
