//go:build darwin || freebsd

package local

import (
	"time"

	"golang.org/x/sys/unix"
)

// openBeneath always fails: on these systems, os.Root opens directories.
func openBeneath(int, string) (int, error) { return -1, unix.ENOSYS }

// exchange always fails: only Linux needs it.
func (d *dir) exchange(string, *dir, string) error { return unix.ENOSYS }

func setFileTime(d *dir, _ int, base string, at time.Time) error {
	stamp, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	return retryEINTR(func() error {
		return unix.UtimesNanoAt(d.fd(), base, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// read calls each for the names in d, from the first one, until each returns false.
func (d *dir) read(each func(dirent) bool) error { return readEntries(d, each) }
