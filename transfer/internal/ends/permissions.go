package ends

import (
	"io/fs"
	"os"
)

// A Permissions decides with which permissions a file and its directories are created, before the
// umask is applied.
type Permissions struct {
	Source *Tree // the source directory; nil for a bucket, which keeps no permissions
	File   fs.FileMode
}

var DefaultPermissions = Permissions{File: 0o666}

// forDir returns the permissions for a new directory: those of the directory with the same path in the
// source, or all of them, before the umask, if the source is no directory.
func (p Permissions) forDir(path string) fs.FileMode {
	if p.Source == nil {
		return 0o777
	}
	info, err := p.Source.Root.Stat(path)
	if err != nil {
		// The directory of the source was removed meanwhile.
		return 0o700
	}
	// The owner must be able to create files in the directory.
	return info.Mode().Perm() | 0o700
}

// copyPermissions gives a new file the permissions of the file that it replaces, of which the umask may
// have removed some.
func copyPermissions(f *os.File, want fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == want {
		// Some file systems have no permissions, and fail.
		return err
	}
	return f.Chmod(want)
}
