//go:build darwin || freebsd

package osdir

import (
	"time"

	"golang.org/x/sys/unix"
)

// openBeneath always fails. These systems have no system call that opens a path and cannot leave
// the directory. The caller then opens the path with os.Root.
func openBeneath(int, string, int) (int, error) { return -1, unix.ENOSYS }

// Exchange always fails. Callers then use Rename. Exchange exists for Linux, because only there it
// is faster than Rename.
func (d *Dir) Exchange(string, *Dir, string) error { return unix.ENOSYS }

// setFileTime sets the time of the file with the name base in d.
func setFileTime(d *Dir, _ int, base string, t time.Time) error {
	stamp, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return retryEINTR(func() error {
		return unix.UtimesNanoAt(d.fd(), base, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// errNoXattr is the error for a file that lacks the attribute.
const errNoXattr = unix.ENOATTR
