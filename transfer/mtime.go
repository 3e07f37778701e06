package transfer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mtimeKey is the metadata that keeps a file's time of modification: seconds
// since 1970 with a fraction, under the name that rclone uses too.
const mtimeKey = "mtime"

// skew is how far the clocks of a store and of this machine, or of two stores,
// may differ: stores refuse requests whose time is further off (S3's
// RequestTimeTooSkewed).
const skew = 15 * time.Minute

// future reports whether a time is further ahead than right clocks differ.
func (s *settings) future(at time.Time) bool { return at.After(s.now().Add(skew)) }

func formatMtime(t time.Time) string {
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// parseMtime is the zero time for what is no mtime.
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
	return time.Unix(seconds, int64(nanos)) // before 1970 the fraction counts upwards too
}

// sameTime reports whether a file's time is want, as far as its file system
// keeps it: to the second, or finer.
func sameTime(file, want time.Time) bool {
	if file.IsZero() || want.IsZero() {
		return false
	}
	if file.Nanosecond() == 0 {
		return file.Unix() == want.Unix()
	}
	return file.Truncate(time.Microsecond).Equal(want.Truncate(time.Microsecond))
}
