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

// future reports whether a time is further in the future than the clocks of two
// machines differ.
func (s *settings) future(at time.Time) bool { return at.After(s.now().Add(skew)) }

// parseMtime returns the zero time if text is not an mtime.
func parseMtime(text string) time.Time {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 9 {
		return time.Time{}
	}
	nanos, err := strconv.ParseUint(fraction+"000000000"[len(fraction):], 10, 32)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)) // the fraction also counts upwards before 1970
}

// sameTime reports whether a file's time is want, at the precision of its file
// system: one second, or finer.
func sameTime(file, want time.Time) bool {
	if file.IsZero() || want.IsZero() {
		return false
	}
	if file.Nanosecond() == 0 {
		return file.Unix() == want.Unix()
	}
	return file.Truncate(time.Microsecond).Equal(want.Truncate(time.Microsecond))
}

// permissions are the permissions with which a file and its directories are created, before the
// umask.
type permissions struct {
	source *tree // nil for a bucket, which keeps no permissions
	file   fs.FileMode
}

var defaultPermissions = permissions{file: 0o666}

// forDir returns the permissions for a directory.
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
