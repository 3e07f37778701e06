package transfer

import (
	"io/fs"
	"os"
)

// permissions are those that a new file, and the directories that lead to it, are
// made with: less the umask, as any tool makes them.
type permissions struct {
	source *tree // where the file comes from; nil: a bucket, which keeps none
	file   fs.FileMode
}

var defaultPermissions = permissions{file: 0o666}

// forDir are those of the directory that is copied.
func (p permissions) forDir(path string) fs.FileMode {
	if p.source == nil {
		return 0o777
	}
	info, err := p.source.root.Stat(path)
	if err != nil {
		return 0o700 // it is gone meanwhile
	}
	return info.Mode().Perm() | 0o700 // files have to get into it
}

// copyPermissions gives the new file those of the one that it replaces, of which
// the umask has taken some.
func copyPermissions(f *os.File, want fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == want {
		return err // some file systems know no permissions, and refuse to set any
	}
	return f.Chmod(want)
}
