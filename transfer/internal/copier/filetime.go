package transfer

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// mtimeKey is the metadata key of a file's modification time, in seconds since 1970
// with a fraction. rclone uses the same key.
const mtimeKey = "mtime"

// skew is the largest difference between the clocks of a store and this machine, or
// of two stores. Stores refuse requests with a larger one (S3's
// RequestTimeTooSkewed).
const skew = 15 * time.Minute

// future reports whether a time is so far in the future that it cannot be due to a normal
// difference of clocks.
func (s *settings) future(t time.Time) bool { return t.After(s.now().Add(skew)) }

// parseMtime returns the time in the mtime of an object, or the zero time if text is not valid.
func parseMtime(text string) time.Time {
	full, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(full, 10, 64)
	if err != nil || len(fraction) > 9 {
		return time.Time{}
	}
	nanos, err := strconv.ParseUint(fraction+"000000000"[len(fraction):], 10, 32)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)) // the fraction is added, even for times before 1970
}

// sameTime reports whether the time of a file equals want, at the precision of the file system. The
// precision is one second or finer.
func sameTime(file, want time.Time) bool {
	if file.IsZero() || want.IsZero() {
		return false
	}
	if file.Nanosecond() == 0 {
		return file.Unix() == want.Unix()
	}
	return file.Truncate(time.Microsecond).Equal(want.Truncate(time.Microsecond))
}

// A permissions decides with which permissions a file and its directories are created, before the
// umask is applied.
type permissions struct {
	source *tree // the source directory; nil for a bucket, which keeps no permissions
	file   fs.FileMode
}

var defaultPermissions = permissions{file: 0o666}

// forDir returns the permissions for a new directory: those of the same directory in the source.
func (p permissions) forDir(path string) fs.FileMode {
	if p.source == nil {
		return 0o777
	}
	info, err := p.source.root.Stat(path)
	if err != nil {
		return 0o700 // the directory of the source was removed meanwhile
	}
	return info.Mode().Perm() | 0o700 // the owner must be able to create files in the directory
}

// copyPermissions gives a new file the wanted permissions, which are those of the file that it
// replaces. When the new file was created, the umask may have removed some of them.
func copyPermissions(f *os.File, want fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == want {
		return err // some file systems have no permissions, and fail
	}
	return f.Chmod(want)
}
