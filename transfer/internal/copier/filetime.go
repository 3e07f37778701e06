package copier

import (
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

// isInFuture reports whether a time is so far in the future that it cannot be due to a normal
// difference of clocks.
func (s *Settings) isInFuture(t time.Time) bool { return t.After(s.Now().Add(skew)) }

// parseMtime returns the time in the mtime of an object, or the zero time if text is not valid.
func parseMtime(text string) time.Time {
	const maxDigits = 9 // of a fraction in nanoseconds
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > maxDigits {
		return time.Time{}
	}
	zeros := strings.Repeat("0", maxDigits-len(fraction))
	nanos, err := strconv.ParseUint(fraction+zeros, 10, 32)
	if err != nil {
		return time.Time{}
	}
	// The fraction is added, even for times before 1970.
	return time.Unix(seconds, int64(nanos))
}

// sameTime reports whether the time of a file equals want, at the precision of the file system, which
// is one second or finer.
func sameTime(file, want time.Time) bool {
	if file.IsZero() || want.IsZero() {
		return false
	}
	// A file system that keeps only seconds has dropped the fraction.
	if file.Nanosecond() == 0 {
		return file.Unix() == want.Unix()
	}
	return file.Truncate(time.Microsecond).Equal(want.Truncate(time.Microsecond))
}
