package objectfile

import (
	"cmp"
	"io/fs"
	"runtime"
	"strconv"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// sidecarPath returns the path of an object's sidecar, a file with the object's attributes.
// Sidecars are needed if the file system has no extended attributes, or if these are too small for
// the data. The sidecar's name is the inode of the object. So the object can be renamed without the
// sidecar. The name does not contain the number of the device, because this number may change when
// the disk is mounted again. A sidecar is written before the object is visible, and removed after
// the object. A sidecar counts only if the size and time in it are those of the object's file.
func sidecarPath(meta osdir.Meta) string {
	return bucketdir.AttrsPath + "/" + strconv.FormatUint(meta.Ino, 16)
}

// writeSidecar stores encoded attributes in the sidecar of a file.
func (s *Staging) writeSidecar(staged *StagedFile, value []byte) error {
	s.Reader.Sidecars.Store(true)
	// The attributes must be as private as the object. Windows has no modes.
	mode := fs.FileMode(staged.Meta.Mode & 0o666)
	mode = cmp.Or(mode, 0o666)
	err := s.Tree.ReplaceFile(sidecarPath(staged.Meta), staged.Dir.Path, value, mode)
	if !osdir.IsNotExist(err) {
		return err
	}

	// The directory of the sidecars does not exist yet.
	if err := s.Tree.Mkdirs(bucketdir.AttrsPath); err != nil {
		return err
	}
	// Sync even if another process created the directory.
	if err := s.Tree.SyncDir(bucketdir.Reserved); err != nil {
		return err
	}
	return s.Tree.ReplaceFile(sidecarPath(staged.Meta), staged.Dir.Path, value, mode)
}

// HoldInode keeps a file open until release is called, so that no new file gets its inode. The caller
// removes the file and then its sidecar, whose name is the inode: without HoldInode, a new file could
// have the inode by then, and would lose its own sidecar.
func (r *Reader) HoldInode(file ObjectFile) (release func()) {
	releaseNothing := func() {}
	if !file.Found() || !r.Sidecars.Load() {
		return releaseNothing
	}
	if runtime.GOOS == "windows" {
		// Windows does not reuse the numbers of files, and removes no open file.
		return releaseNothing
	}
	f, err := file.Dir.Open(file.Base)
	if err != nil {
		return releaseNothing
	}
	return func() {
		_ = f.Close()
	}
}

// DropSidecar removes the sidecar of a file after its object was replaced or removed. If the file
// has another hard link, DropSidecar keeps the sidecar, because the file under the other name needs
// it. Another program or a crash may have left a hard link. A sidecar that is left over does no
// harm. It never describes another file.
func (r *Reader) DropSidecar(meta osdir.Meta) {
	if meta.Ino != 0 && meta.Links < 2 && r.Sidecars.Load() {
		_ = r.Tree.Root.Remove(sidecarPath(meta))
	}
}
