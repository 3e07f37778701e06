package local

import (
	"errors"
	"io/fs"
	"runtime"
	"strconv"
)

// Where a file system has no extended attributes, or none as long as these, the
// attributes lie in a file of their own, named by the object's inode: the
// object may be renamed without it. It is there before the object is visible
// and removed after the object is gone, and it is believed only of a file of
// the size and time that it was written for. The device is not part of the
// name, since its number may change when the disk is mounted again.
func sidecarPath(m meta) string { return attrsPath + "/" + strconv.FormatUint(m.ino, 16) }

// attrsOfFile reads what goes with an open file; nil where there is nothing.
func (s *store) attrsOfFile(f *file) (*attrs, error) {
	if !s.noXattr {
		b, err := f.xattr()
		if err == nil && b != nil {
			return decodeAttrs(b), nil
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, failure(err)
		}
	}
	b, err := s.root.ReadFile(sidecarPath(f.meta))
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	if a := decodeAttrs(b); a.describes(f.meta) {
		return a, nil
	}
	return nil, nil
}

// writeSidecar is for a file that nobody can see yet.
func (s *store) writeSidecar(st *stagedFile, value []byte) error {
	s.sidecars.Store(true)
	mode := fs.FileMode(st.meta.mode & 0o666) // whoever may not read the object may not read its metadata
	if mode == 0 {
		mode = 0o666 // Windows has no modes
	}
	err := s.replaceFile(sidecarPath(st.meta), st.dir.path, value, mode)
	if !isNotExist(err) {
		return err
	}
	if err := s.root.Mkdir(attrsPath, 0o777); err != nil && !isExist(err) {
		return s.pathLostError(err)
	}
	if err := s.syncDir(reserved); err != nil {
		return err
	}
	return s.replaceFile(sidecarPath(st.meta), st.dir.path, value, mode)
}

// hold keeps the inode of a file that is about to lose its name from being used
// again, until release is called: its sidecar is dropped by the inode's number,
// and by then that could be another's. Windows numbers files anew, and would
// have the open file in the way.
func (s *store) holdInode(at objectFile) (release func()) {
	if !at.found() || !s.sidecars.Load() || runtime.GOOS == "windows" {
		return func() {}
	}
	f, err := at.dir.open(at.base)
	if err != nil {
		return func() {}
	}
	return func() { _ = f.close() }
}

// dropSidecar is for a file that nobody can see any more, and that still is:
// held open, or not unlinked yet. A file with another name, which somebody gave it or
// a crash left, needs its sidecar. One that stays behind describes no other file.
func (s *store) dropSidecar(m meta) {
	if m.ino != 0 && m.links < 2 && s.sidecars.Load() {
		_ = s.root.Remove(sidecarPath(m))
	}
}
