//go:build darwin || freebsd

package osdir

import (
	"time"

	"golang.org/x/sys/unix"
)

// openBeneath always fails: on these systems, os.Root opens paths.
func openBeneath(int, string, int) (int, error) { return -1, unix.ENOSYS }

// Exchange always fails: only Linux needs it.
func (d *Dir) Exchange(string, *Dir, string) error { return unix.ENOSYS }

func setFileTime(d *Dir, _ int, base string, at time.Time) error {
	stamp, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	return retryEINTR(func() error {
		return unix.UtimesNanoAt(d.fd(), base, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Each calls each for the names in d, from the first one, until each returns false.
func (d *Dir) Each(each func(Entry) bool) error { return readEntries(d, each) }

// errNoXattr is the error of a file without the attribute.
const errNoXattr = unix.ENOATTR
