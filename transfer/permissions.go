package transfer

import (
	"io/fs"
	"os"
)

// permissions are those with which a file and its directories are created, before the
// umask.
type permissions struct {
	source *tree // nil for a bucket, which keeps none
	file   fs.FileMode
}

var defaultPermissions = permissions{file: 0o666}

// forDir returns those for a directory.
func (p permissions) forDir(path string) fs.FileMode {
	if p.source == nil {
		return 0o777
	}
	info, err := p.source.root.Stat(path)
	if err != nil {
		return 0o700 // it was removed meanwhile
	}
	return info.Mode().Perm() | 0o700 // to create files in it
}

// copyPermissions gives a new file the permissions of the replaced one, which the
// umask has reduced.
func copyPermissions(f *os.File, want fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == want {
		return err // some file systems have no permissions, and refuse to set any
	}
	return f.Chmod(want)
}
