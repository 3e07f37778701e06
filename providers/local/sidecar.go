package local

import (
	"cmp"
	"errors"
	"io/fs"
	"runtime"
	"strconv"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// sidecarPath returns the path of a file with the attributes of an object. It is used if
// the file system has no extended attributes, or only shorter ones. Its name is the inode
// of the object, so that the object can be renamed without it. It is written before the
// object is visible, and removed after the object. It is only used if the object has the
// size and time that it was written for. The name does not include the device, whose
// number may change when the disk is mounted again.
func sidecarPath(m osdir.Meta) string { return attrsPath + "/" + strconv.FormatUint(m.Ino, 16) }

// attrsAt reads the attributes of a file that was found, and the current meta of the file.
func (r *reader) attrsAt(at objectFile) (*attrs, osdir.Meta, error) {
	f, err := at.dir.Open(at.base)
	if err != nil {
		return nil, osdir.Meta{}, r.tree.pathLostError(err)
	}
	defer func() { _ = f.Close() }()
	a, err := r.attrsOfFile(f)
	return a, f.Meta, err
}

// attrsOfFile reads the attributes of an open file. It returns nil if there are none.
func (r *reader) attrsOfFile(f *osdir.File) (*attrs, error) {
	if !r.noXattr {
		b, err := f.Xattr()
		if err == nil && b != nil {
			return decodeAttrs(b), nil
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, failure(err)
		}
	}
	b, err := r.tree.root.ReadFile(sidecarPath(f.Meta))
	if osdir.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	if a := decodeAttrs(b); a.matches(f.Meta) {
		return a, nil
	}
	return nil, nil
}

// writeSidecar writes the sidecar of a file that is not visible yet.
func (s *staging) writeSidecar(st *stagedFile, value []byte) error {
	s.reader.sidecars.Store(true)
	mode := fs.FileMode(st.meta.Mode & 0o666) // metadata must be as private as the object
	mode = cmp.Or(mode, 0o666)                // Windows has no modes
	err := s.tree.replaceFile(sidecarPath(st.meta), st.dir.Path, value, mode)
	if !osdir.IsNotExist(err) {
		return err
	}
	if err := s.tree.mkdirs(attrsPath); err != nil {
		return err
	}
	if err := s.tree.syncDir(reserved); err != nil { // also if another process has made it
		return err
	}
	return s.tree.replaceFile(sidecarPath(st.meta), st.dir.Path, value, mode)
}

// holdInode opens a file that is about to lose its name, so that its inode is not reused until
// release is called. The sidecar is then removed by the number of the inode. If the inode was
// reused, that could be the sidecar of another file. On Windows it does nothing: numbers are
// not reused, and the open file could not be removed.
func (r *reader) holdInode(at objectFile) (release func()) {
	if !at.found() || !r.sidecars.Load() || runtime.GOOS == "windows" {
		return func() {}
	}
	f, err := at.dir.Open(at.base)
	if err != nil {
		return func() {}
	}
	return func() { _ = f.Close() }
}

// dropSidecar removes the sidecar of a file that is no longer visible, but still exists:
// it is open, or not yet unlinked. If the file has another name, from another program or a
// crash, it needs its sidecar. A sidecar that is left over describes no other file.
func (r *reader) dropSidecar(m osdir.Meta) {
	if m.Ino != 0 && m.Links < 2 && r.sidecars.Load() {
		_ = r.tree.root.Remove(sidecarPath(m))
	}
}
