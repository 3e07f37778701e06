package ends

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

var errSourceChanged = errors.New("source changed while it was moved, and was not removed")

// Has reports whether the directory still has the file that was listed, unchanged.
func (t *Tree) Has(_ context.Context, file Entry) (bool, error) {
	info, err := t.Root.Lstat(file.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, joberror.OfFile("Attrs", file.Key, err)
	}
	return info.Mode().IsRegular() && isListed(info, file), nil
}

// isListed reports whether a file is still the one that was listed. It also compares the time at
// which the file was written, because the modification time is not enough. A download may replace a
// file and set the same modification time.
func isListed(info fs.FileInfo, file Entry) bool {
	if info.Size() != file.Size || !info.ModTime().Equal(file.Modified) {
		return false
	}
	if file.Written.IsZero() {
		// It is not known when the file was written.
		return true
	}
	return localfile.Written(info).Equal(file.Written)
}

// RemoveUnchanged removes a file, and directories that become empty. It fails with Changed if the file
// changed after it was listed.
func (t *Tree) RemoveUnchanged(_ context.Context, src Entry) error {
	isUnchanged := func(info fs.FileInfo) bool { return isListed(info, src) }
	err := localfile.RemoveUnchanged(t.Root, src.Key, isUnchanged)
	if err == localfile.ErrReplaced {
		return &storage.Error{Code: storage.Changed, Op: "Sync", Key: src.Key, Err: errSourceChanged}
	}
	if err != nil {
		return joberror.OfFile("Remove", src.Key, err)
	}
	return joberror.OfFile("Remove", src.Key, t.removeEmptyDirs(path.Dir(src.Key)))
}

// Remove removes files, and directories that become empty.
func (t *Tree) Remove(
	_ context.Context, files iter.Seq[storage.VersionEntry], removed func(file storage.VersionEntry, err error),
) {
	for file := range files {
		removed(file, joberror.OfFile("Remove", file.Key, t.removeFile(file.Key)))
	}
}

// removeFile removes a file, if it still exists, and directories that become empty.
func (t *Tree) removeFile(key string) error {
	if err := t.Root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.removeEmptyDirs(path.Dir(key))
}

// removeEmptyDirs removes the directory dir and its parents, up to the first one that is not empty.
func (t *Tree) removeEmptyDirs(dir string) error {
	for dir != "." && t.Root.Remove(dir) == nil {
		dir = path.Dir(dir)
	}
	return t.noteChange(dir)
}
