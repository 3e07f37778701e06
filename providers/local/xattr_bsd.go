//go:build darwin || freebsd

package local

import "golang.org/x/sys/unix"

// noXattr is the error of a file without the attribute.
const noXattr = unix.ENOATTR
