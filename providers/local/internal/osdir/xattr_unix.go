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

// getXattr returns the value of the file's extended attribute xattrName, or nil if it has none.
func getXattr(fd int) ([]byte, error) {
	var small [512]byte // enough for most attributes
	value := small[:]
	n, err := fgetxattr(fd, value)
	isTooShort := errors.Is(err, unix.ERANGE)
	if isTooShort {
		value = make([]byte, maxXattr)
		n, err = fgetxattr(fd, value)
	}
	if errors.Is(err, errNoXattr) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Copy the value, because the buffer is usually much larger.
	return append([]byte(nil), value[:n]...), nil
}

// fgetxattr reads the extended attribute xattrName into value and returns its length. It fails with
// ERANGE if value is too short.
func fgetxattr(fd int, value []byte) (n int, err error) {
	err = retryEINTR(func() (err error) {
		n, err = unix.Fgetxattr(fd, xattrName, value)
		return err
	})
	return n, err
}

func removeXattr(fd int) error {
	return retryEINTR(func() error { return unix.Fremovexattr(fd, xattrName) })
}

func setXattr(fd int, value []byte) error {
	return retryEINTR(func() error { return unix.Fsetxattr(fd, xattrName, value, 0) })
}
