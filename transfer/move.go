package transfer

import (
	"context"
	"errors"
	"io/fs"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unchanged"
)

// WithMove removes each file from the source after it was transferred, or if the destination
// has the same content. Files of equal size are compared as with [WithChecksum]. At each
// moment the source or the destination has the file, and it survives a power failure unless
// [WithNoSync] is set. To continue a job that was killed, make the same call again. Never run two jobs at once that
// move between the same places in opposite directions: each may remove what the other has just copied.
//
// Within one bucket that has [storage.ServerMove], each object is moved in one step, as it is then.
// Otherwise a file that changed after it was listed is transferred and stays at the source; it fails
// with Changed. So does a file that was not transferred because the destination has the same content, if the file there
// changes or disappears before the source is removed. A file that was transferred and cannot be removed counts as both
// in the Report. An object that both ends list with the same ETag and time fails with InvalidArgument and stays: one
// bucket may have two addresses. If the store cannot remove an object on the condition of its revision, a change in the
// moment before the removal is lost. Directories of a source directory that become empty are removed, too, but one that
// a killed job emptied may stay. If the source cannot be removed from, or with [WithDelete], [WithSizeOnly] or, from a
// directory, [WithLinks], the job fails with InvalidArgument.
func WithMove() Option { return option(func(s *settings) { s.move = true }) }

var errSourceChanged = errors.New("source changed while it was moved, and was not removed")

var errDestinationChanged = errors.New("the file of the destination changed or was removed after it was compared, " +
	"and that of the source was not removed")

var errOneObject = errors.New("source and destination seem to be one object, which was not removed")

// sameObject reports whether two objects have all in common that a listing shows: one bucket may
// have two addresses. A copy is younger than its source, or has another revision.
func sameObject(src, dst entry) bool {
	if src.revision != "" && dst.revision != "" && src.revision != dst.revision {
		return false
	}
	return src.etag != "" && src.etag == dst.etag && src.size == dst.size && !src.modified.IsZero() &&
		src.modified.Equal(dst.modified)
}

// moveInOneStep moves an object within one bucket, if that moves it in one step.
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

// lookAgain fails if an end does not have a file any more, or has another one. A job that moves in the opposite
// direction may have removed it. This makes the moment short in which two such jobs remove both files, and does not
// end it.
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
	return info.Mode().IsRegular() && info.Size() == file.size && info.ModTime().Equal(file.modified), nil
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
	case info.Size() != src.size || !info.ModTime().Equal(src.modified):
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
