//go:build linux || darwin || freebsd

package osdir

import (
	"errors"

	"golang.org/x/sys/unix"
)

const (
	xattrName = "user.omnibucket"
	maxXattr  = 64 << 10
)

// getXattr returns the extended attribute of this module. If the file lacks the attribute, it
// returns nil.
func getXattr(fd int) ([]byte, error) {
	var small [512]byte
	value := small[:]
	for {
		var n int
		err := retryEINTR(func() (err error) {
			n, err = unix.Fgetxattr(fd, xattrName, value)
			return err
		})
		if err == nil {
			return append([]byte(nil), value[:n]...), nil
		}
		switch {
		case errors.Is(err, unix.ERANGE) && len(value) < maxXattr:
			value = make([]byte, maxXattr)
		case errors.Is(err, errNoXattr):
			return nil, nil
		default:
			return nil, err
		}
	}
}

func removeXattr(fd int) error {
	return retryEINTR(func() error { return unix.Fremovexattr(fd, xattrName) })
}

func setXattr(fd int, value []byte) error {
	return retryEINTR(func() error { return unix.Fsetxattr(fd, xattrName, value, 0) })
}
